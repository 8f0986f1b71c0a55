/* SPDX-License-Identifier: MIT */
/* Taking pages before they are touched. */
#ifndef MEMSRV_POPULATE_H
#define MEMSRV_POPULATE_H

#include "space.h"

enum populate_how {
    POPULATE_AS_ALLOWED, /* a private area that may be written as writing would, any other as reading would */
    POPULATE_READ,
    POPULATE_WRITE,
};

/*
 * Takes and maps what is missing in [start, end), page-aligned, of the space of `pid`. The space's lock is taken for a
 * bounded part at a time, so others' requests and faults go on in between.
 * ENOMEM: an area may not be touched like that, or nothing is there; EAGAIN: memory has ended; EFAULT: past the end of
 * an object; ESRCH: no such space. Pages that were taken stay. Makes system calls.
 */
MUST_CHECK int populate(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end,
                        enum populate_how how);

/* True if an area with these flags is to be populated as soon as it is there: locked, and not just when touched. */
static inline bool is_locked_now(uint64_t flags)
{
    return (flags & (VMA_LOCKED | VMA_LOCK_ON_FAULT)) == VMA_LOCKED;
}

/* The same for a request that can be made again, and is when it has waited for the pager: PROTO_PARKED then. */
MUST_CHECK int populate_or_park(struct memsrv_context *worker, const struct message *request, uint64_t start,
                                uint64_t end, enum populate_how how);

#endif
