/* SPDX-License-Identifier: MIT */
/* The random seed that the firmware left in the device tree. */
#ifndef ROOT_SEED_H
#define ROOT_SEED_H

#include <quire/abi.h>

#include "entropy.h"

/* Seeds *entropy with /chosen/rng-seed and /chosen/kaslr-seed, those of them that there are. Before frames_close(). A
 * tree that cannot be read gives none. */
void seed_read(const struct boot_info *info, struct entropy *entropy);

#endif
