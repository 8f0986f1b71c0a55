/* SPDX-License-Identifier: MIT */
/* The random seed that the firmware left in the device tree. */
#ifndef ROOT_SEED_H
#define ROOT_SEED_H

#include "entropy.h"

/* Seeds *entropy with /chosen/rng-seed and /chosen/kaslr-seed, those of them that there are; NULL is a tree without. */
void seed_read(const void *tree, struct entropy *entropy);

#endif
