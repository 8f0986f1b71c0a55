/* SPDX-License-Identifier: MIT */
/*
 * A few ranges of page indices, sorted and apart from each other. Pure; no memory of its own.
 */
#ifndef FS_EXT2_RANGES_H
#define FS_EXT2_RANGES_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT2_RANGES_MAX 16u

struct ext2_range {
    uint64_t first, end; /* `end` is not included */
};

struct ext2_ranges {
    size_t count;
    struct ext2_range ranges[EXT2_RANGES_MAX];
};

/* Adds [first, end), which is not empty. When there are too many, the two ranges that are nearest become one with what
 * lies between: the result covers what it should, and perhaps more. */
void ext2_ranges_add(struct ext2_ranges *ranges, uint64_t first, uint64_t end);

/* Takes all from `first` on away. */
void ext2_ranges_cut(struct ext2_ranges *ranges, uint64_t first);

/* Indices in all ranges. */
uint64_t ext2_ranges_total(const struct ext2_ranges *ranges);

bool ext2_ranges_check(const struct ext2_ranges *ranges);

#endif
