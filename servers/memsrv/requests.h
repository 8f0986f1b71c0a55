/* SPDX-License-Identifier: MIT */
/* What the files that handle programs' requests share. */
#ifndef MEMSRV_REQUESTS_H
#define MEMSRV_REQUESTS_H

#include "space.h"

static inline uint64_t caller_of(const struct message *request)
{
    return request->badge & ~BADGE_RIGHTS;
}

/* Finds and locks the caller's own space for a request about its memory; false: it has none. */
MUST_CHECK static inline bool enter_own(const struct message *request, struct space **space)
    TRY_ACQUIRE(true, (*space)->lock) NO_THREAD_SAFETY_ANALYSIS
{
    uint64_t pid = caller_of(request);
    *space = space_find(pid);
    if (__builtin_expect(!space_enter(*space, pid), 0))
        return false;
    if (__builtin_expect(space_has_memory(*space), 1))
        return true;
    space_leave(*space);
    return false;
}

/* Finds and locks the caller's record, memory or not. */
MUST_CHECK static inline bool enter_caller(const struct message *request, struct space **space)
    TRY_ACQUIRE(true, (*space)->lock) NO_THREAD_SAFETY_ANALYSIS
{
    *space = space_find(caller_of(request));
    return space_enter(*space, caller_of(request));
}

#endif
