/* SPDX-License-Identifier: MIT */
/* Reads the seed; the tree is visible to root only while it does. */
#include "seed.h"

#include <libfdt.h>
#include <quire/syscall.h>
#include <stddef.h>

#include "log.h"
#include "memory.h"

static void read_properties(const void *tree, struct entropy *entropy)
{
    static const char *const names[] = {"rng-seed", "kaslr-seed"};
    const int chosen = fdt_path_offset(tree, "/chosen");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int bytes = 0;
        const void *seed = chosen < 0 ? NULL : fdt_getprop(tree, chosen, names[i], &bytes);
        if (seed && bytes > 0)
            entropy_seed(entropy, seed, (size_t)bytes);
    }
}

void seed_read(const struct boot_info *info, struct entropy *entropy)
{
    const uint64_t first = info->tree_base & PAGE_MASK;
    const uint64_t pages = (info->tree_base + info->tree_size - first + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint64_t next = TREE_ADDRESS;

    if (info->tree_size < FDT_V17_SIZE)
        return;
    own_map(TREE_ADDRESS, first, pages, ENTRY_READ | ENTRY_ACCESSED);
    const void *tree = (const char *)TREE_ADDRESS + (info->tree_base - first);
    if (fdt_check_header(tree) == 0 && fdt_totalsize(tree) <= info->tree_size)
        read_properties(tree, entropy);
    while (next < TREE_ADDRESS + pages * PAGE_SIZE) {
        const long result =
            sys_unmap(SLOT_PHYSICAL, SLOT_ASPACE, next, pages - ((next - TREE_ADDRESS) >> PAGE_SHIFT), 0, &next);
        if (result < 0)
            fatal("unmapping the device tree: error %ld", result);
    }
}
