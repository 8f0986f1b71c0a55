/* SPDX-License-Identifier: MIT */
/*
 * Lists of memory regions: sorted, neither overlapping nor touching, none empty. Pure; the caller owns list and count
 * and serialises. In every call base <= end, both are page-aligned, and the list has room for MEMORY_REGIONS_MAX.
 */
#ifndef PLATFORM_REGIONS_H
#define PLATFORM_REGIONS_H

#include "platform.h"

/* Adds [base, end), joining it with what it overlaps or touches. False: no room, and the list is as it was. */
__attribute__((warn_unused_result)) bool regions_add(struct memory_region *list, size_t *count, uint64_t base,
                                                     uint64_t end);

/* Takes [base, end) out. False: no room for the second half of a region that was cut; the list is as it was. */
__attribute__((warn_unused_result)) bool regions_remove(struct memory_region *list, size_t *count, uint64_t base,
                                                        uint64_t end);

/* True if all of [base, end) is in one region of the list. */
bool regions_hold(const struct memory_region *list, size_t count, uint64_t base, uint64_t end);

#endif
