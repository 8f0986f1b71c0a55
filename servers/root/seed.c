/* SPDX-License-Identifier: MIT */
/* Reads the seed. */
#include "seed.h"

#include <libfdt.h>
#include <stddef.h>

void seed_read(const void *tree, struct entropy *entropy)
{
    static const char *const names[] = {"rng-seed", "kaslr-seed"};
    const int chosen = tree ? fdt_path_offset(tree, "/chosen") : -1;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int bytes = 0;
        const void *seed = chosen < 0 ? NULL : fdt_getprop(tree, chosen, names[i], &bytes);
        if (seed && bytes > 0)
            entropy_seed(entropy, seed, (size_t)bytes);
    }
}
