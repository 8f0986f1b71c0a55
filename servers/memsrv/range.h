/* SPDX-License-Identifier: MIT */
/* Requests about a range of memory that change flags of areas, or look at each. */
#ifndef MEMSRV_RANGE_H
#define MEMSRV_RANGE_H

#include "space.h"

/*
 * Checks a range as madvise() and its relatives take it: *end is its end, whole pages; equal to `address`: nothing to
 * do. EINVAL: not aligned, or it wraps; ENOMEM: not all of it is user memory.
 */
MUST_CHECK int advised_range_check(uint64_t address, uint64_t length, uint64_t *end);

/* True if areas cover all of [start, end). */
MUST_CHECK bool range_is_covered_locked(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock);

/* The flags of all areas of [start, end), or-ed; 0 if there are none. */
uint64_t range_flags_locked(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock);

/*
 * Sets and clears flags of all areas in [start, end), a valid range of whole pages, cutting those at its ends and
 * merging what has become equal. Areas that have one of `except` are left alone. ENOMEM: no memory for a record, or too
 * many areas; nothing was changed.
 */
MUST_CHECK int range_change_flags_locked(struct space *space, uint64_t start, uint64_t end, uint64_t set,
                                         uint64_t clear, uint64_t except) REQUIRES(space->lock);

#endif
