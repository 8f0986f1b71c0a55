/* SPDX-License-Identifier: MIT */
/* Locking memory: the pages are there, and stay. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "limits.h"
#include "populate.h"
#include "range.h"
#include "requests.h"

#define LOCK_FLAGS (VMA_LOCKED | VMA_LOCK_ON_FAULT)

/* A range as mlock() takes it: any first byte. *end == *start: nothing to do. EINVAL: it wraps; ENOMEM: not all of it
 * is user memory. */
static int locked_range_check(uint64_t address, uint64_t length, uint64_t *start, uint64_t *end)
{
    *start = align_down(address, PAGE_SIZE);
    if (length > UINT64_MAX - PAGE_SIZE || __builtin_add_overflow(length, address - *start, &length))
        return -EINVAL;
    return advised_range_check(*start, length, end);
}

/* Pages of [start, end) that are not locked yet. */
static uint64_t unlocked_pages(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    uint64_t pages = 0;
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        uint64_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        if (!(area->flags & (VMA_LOCKED | AREA_FILLED)))
            pages += pages_of(to - from);
    }
    return pages;
}

static int lock_range_locked(struct space *space, uint64_t start, uint64_t end, uint64_t flags) REQUIRES(space->lock)
{
    int error = limits_admit_locking_locked(space, unlocked_pages(space, start, end), -ENOMEM);
    if (!error && start < end && !range_is_covered_locked(space, start, end))
        error = -ENOMEM;
    if (!error && start < end)
        error = range_change_flags_locked(space, start, end, flags, LOCK_FLAGS & ~flags, AREA_FILLED);
    return error;
}

int memsrv_handle_lock(struct memsrv_context *context, const struct message *request, uint64_t address, uint64_t length,
                       uint64_t flags)
{
    uint64_t start, end, area_flags = VMA_LOCKED | (flags & MEMSRV_LOCK_ON_FAULT ? VMA_LOCK_ON_FAULT : 0);
    struct space *space;

    int error = flags & ~MEMSRV_LOCK_ON_FAULT ? -EINVAL : locked_range_check(address, length, &start, &end);
    if (error)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = lock_range_locked(space, start, end, area_flags);
    space_leave(space);
    if (!error && is_locked_now(area_flags))
        error = populate_or_park(context, request, start, end, POPULATE_AS_ALLOWED);
    return error == -EFAULT ? -ENOMEM : error;
}

int memsrv_handle_unlock(struct memsrv_context *context, const struct message *request, uint64_t address,
                         uint64_t length)
{
    uint64_t start, end;
    struct space *space;

    int error = locked_range_check(address, length, &start, &end);
    if (error || start == end)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = range_is_covered_locked(space, start, end)
                ? range_change_flags_locked(space, start, end, 0, LOCK_FLAGS, AREA_FILLED)
                : -ENOMEM;
    space_leave(space);
    return error;
}

/* Takes the pages of all areas that are locked, one area after the other, as far as they are to be had. */
static void populate_all(struct memsrv_context *worker, uint64_t pid)
{
    uint64_t start = 0, end = 0;

    do {
        struct space *space = space_find(pid);
        if (!space_enter(space, pid))
            return;
        const struct vma *area = vma_find(&space->areas, end);
        while (area && !is_locked_now(area->flags))
            area = vma_next(&space->areas, area);
        start = area ? area->start : USER_VA_END;
        end = area ? area->end : USER_VA_END;
        space_leave(space);
        int ignored = populate(worker, pid, start, end, POPULATE_AS_ALLOWED);
        (void)ignored; /* mlockall() does not tell */
    } while (end < USER_VA_END);
}

static int lock_all_locked(struct space *space, uint64_t flags, uint64_t area_flags) REQUIRES(space->lock)
{
    const uint64_t all = space->areas.bytes >> PAGE_SHIFT;
    int error;

    if (space->limits.limits[RESOURCE_LOCKED_MEMORY].soft == 0)
        return -EPERM;
    if ((flags & MEMSRV_LOCK_CURRENT) && !resource_allows(&space->limits, RESOURCE_LOCKED_MEMORY, 0, all << PAGE_SHIFT))
        return -ENOMEM;
    error = flags & MEMSRV_LOCK_CURRENT ? range_change_flags_locked(space, AREAS_LOW, USER_VA_END, area_flags,
                                                                    LOCK_FLAGS & ~area_flags, AREA_FILLED)
                                        : 0;
    if (!error)
        space->future_lock = flags & MEMSRV_LOCK_FUTURE ? area_flags : 0;
    return error;
}

int memsrv_handle_lock_all(struct memsrv_context *context, const struct message *request, uint64_t flags)
{
    const uint64_t known = MEMSRV_LOCK_CURRENT | MEMSRV_LOCK_FUTURE | MEMSRV_LOCK_ALL_ON_FAULT;
    uint64_t area_flags = VMA_LOCKED | (flags & MEMSRV_LOCK_ALL_ON_FAULT ? VMA_LOCK_ON_FAULT : 0);
    struct space *space;

    if ((flags & ~known) || !(flags & (MEMSRV_LOCK_CURRENT | MEMSRV_LOCK_FUTURE)))
        return -EINVAL;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = lock_all_locked(space, flags, area_flags);
    space_leave(space);
    if (!error && (flags & MEMSRV_LOCK_CURRENT) && is_locked_now(area_flags))
        populate_all(context, caller_of(request));
    return error;
}

int memsrv_handle_unlock_all(struct memsrv_context *context, const struct message *request)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = range_change_flags_locked(space, AREAS_LOW, USER_VA_END, 0, LOCK_FLAGS, AREA_FILLED);
    if (!error)
        space->future_lock = 0;
    space_leave(space);
    return error;
}
