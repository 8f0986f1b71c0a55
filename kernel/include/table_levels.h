/* SPDX-License-Identifier: MIT */
/* The shape of translation tables, of every architecture: four levels of 512 entries, level 0 on top; a leaf is at level 3
 * (4 KiB) or level 2 (2 MiB). */
#ifndef KERNEL_TABLE_LEVELS_H
#define KERNEL_TABLE_LEVELS_H

#include <stdint.h>

#define TABLE_LEVELS 4u
#define LEAF_LEVEL   3u
#define HUGE_LEVEL   2u

/* The place of an address's entry in its table of a level. */
static inline unsigned pte_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (39 - 9 * level)) & 511;
}

/* Bytes that one entry of a level covers. */
static inline uint64_t pte_span(unsigned level)
{
    return 1UL << (39 - 9 * level);
}

#endif
