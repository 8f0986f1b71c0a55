/* SPDX-License-Identifier: MIT */
/* What programs say about the use of their memory. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "huge.h"
#include "map.h"
#include "object.h"
#include "pager.h"
#include "populate.h"
#include "range.h"
#include "requests.h"
#include "space_pages.h"
#include "space_tables.h"
#include "swap.h"

/* What a piece of advice does to flags, and which areas it does not suit. */
struct advice {
    uint64_t number;
    uint64_t set, clear;
    uint64_t forbidden;  /* EINVAL if an area has one of these flags */
    bool anonymous_only; /* EINVAL for memory objects and shared memory */
};

#define UNMOVABLE (VMA_LOCKED | VMA_DEVICE)

static const struct advice advices[] = {
    {MEMSRV_ADVICE_NORMAL, 0, VMA_RANDOM | VMA_SEQUENTIAL, 0, false},
    {MEMSRV_ADVICE_RANDOM, VMA_RANDOM, VMA_SEQUENTIAL, 0, false},
    {MEMSRV_ADVICE_SEQUENTIAL, VMA_SEQUENTIAL, VMA_RANDOM, 0, false},
    {MEMSRV_ADVICE_WILL_NEED, 0, 0, 0, false},
    {MEMSRV_ADVICE_DONT_NEED, 0, 0, UNMOVABLE, false},
    {MEMSRV_ADVICE_FREE, 0, 0, UNMOVABLE, true},
    {MEMSRV_ADVICE_REMOVE, 0, 0, UNMOVABLE, false},
    {MEMSRV_ADVICE_DONT_FORK, VMA_DONT_FORK, 0, 0, false},
    {MEMSRV_ADVICE_DO_FORK, 0, VMA_DONT_FORK, VMA_DEVICE, false},
    {MEMSRV_ADVICE_HUGE, VMA_HUGE, VMA_NO_HUGE, VMA_DEVICE, false},
    {MEMSRV_ADVICE_NO_HUGE, VMA_NO_HUGE, VMA_HUGE, 0, false},
    {MEMSRV_ADVICE_WIPE_ON_FORK, VMA_WIPE_ON_FORK, 0, VMA_DEVICE, true},
    {MEMSRV_ADVICE_KEEP_ON_FORK, 0, VMA_WIPE_ON_FORK, 0, false},
    {MEMSRV_ADVICE_COLD, 0, 0, UNMOVABLE, false},
    {MEMSRV_ADVICE_PAGE_OUT, 0, 0, UNMOVABLE, false},
    {MEMSRV_ADVICE_POPULATE_READ, 0, 0, VMA_DEVICE, false},
    {MEMSRV_ADVICE_POPULATE_WRITE, 0, 0, VMA_DEVICE, false},
    {MEMSRV_ADVICE_COLLAPSE, 0, 0, VMA_DEVICE | VMA_NO_HUGE, true},
};

static const struct advice *find_advice(uint64_t number)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (advices[i].number == number)
            return &advices[i];
    }
    return NULL;
}

/* True if the area maps an object whose pages can be given back. */
static bool is_object_of_free_pages(const struct vma *area)
{
    const struct object *object = area->object;
    return object && !object->pinned && !object->backed;
}

/* True if the advice suits all areas of the range. */
static int check_areas(struct space *space, const struct advice *advice, uint64_t start, uint64_t end)
    REQUIRES(space->lock)
{
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        if (area->flags & AREA_BUFFER)
            return -EPERM;
        if ((area->flags & advice->forbidden) || (advice->anonymous_only && area->object))
            return -EINVAL;
        if (advice->number == MEMSRV_ADVICE_REMOVE && !is_object_of_free_pages(area))
            return -EINVAL;
        if (advice->number == MEMSRV_ADVICE_REMOVE && (~area->flags & (VMA_SHARED | VMA_WRITE)))
            return -EACCES;
        /* A server that shares memory with a program must not find pages gone that it has made sure of. */
        if (advice->number == MEMSRV_ADVICE_REMOVE && object_is_others(area->object, space))
            return -EPERM;
        if (advice->number == MEMSRV_ADVICE_POPULATE_READ && !(area->flags & VMA_READ))
            return -EINVAL;
        if (advice->number == MEMSRV_ADVICE_POPULATE_WRITE && !(area->flags & VMA_WRITE))
            return -EINVAL;
    }
    return 0;
}

/* Gives the pages of a shared range back, one area at a time, without the space's lock. */
static int remove_pages(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end)
{
    while (start < end) {
        struct space *space = space_find(pid);
        struct object *object = NULL;
        uint64_t first = 0, last = 0;

        if (!space_enter(space, pid))
            return -ESRCH;
        const struct vma *area = vma_find(&space->areas, start);
        uint64_t next = area && area->end < end ? area->end : end;
        if (area && area->start < end && area->object) {
            uint64_t from = area->start > start ? area->start : start;
            first = area_index(area, from);
            last = first + pages_of(next - from);
            object = area->object;
            object_hold(object);
        }
        space_leave(space);
        if (object) {
            object_discard(worker, object, first, last);
            object_put(worker, object);
        }
        start = next;
    }
    return 0;
}

/* Advice that is the pager's to follow. */
static bool tells_pager(uint64_t advice)
{
    return advice == MEMSRV_ADVICE_WILL_NEED || advice == MEMSRV_ADVICE_COLD || advice == MEMSRV_ADVICE_PAGE_OUT;
}

/* Tells the pager what was said of parts of backed objects, and which swapped pages will be wanted; or of a range. */
static void tell_pager_locked(struct space *space, uint64_t start, uint64_t end, uint64_t advice) REQUIRES(space->lock)
{
    if (advice != MEMSRV_ADVICE_WILL_NEED) {
        pager_tell_cold(space->pid, start, end, advice);
        return;
    }
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        const struct object *object = area->object;
        uint64_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        if (!(area->flags & (VMA_SHARED | AREA_FILLED)))
            swap_hint_range_locked(space, from, to);
        if (object && object->backed)
            pager_tell_advice(object->id, object->cookie, area_index(area, from), pages_of(to - from), advice);
    }
}

static int populate_as_advised(struct memsrv_context *worker, const struct message *request, uint64_t start,
                               uint64_t end, enum populate_how how)
{
    int error = populate_or_park(worker, request, start, end, how);
    return error == -EAGAIN ? -ENOMEM : error;
}

/* What is done with no lock held. */
static int act(struct memsrv_context *worker, const struct message *request, const struct advice *advice,
               uint64_t start, uint64_t end)
{
    const uint64_t pid = caller_of(request);

    switch (advice->number) {
    case MEMSRV_ADVICE_REMOVE:
        return remove_pages(worker, pid, start, end);
    case MEMSRV_ADVICE_POPULATE_READ:
        return populate_as_advised(worker, request, start, end, POPULATE_READ);
    case MEMSRV_ADVICE_POPULATE_WRITE:
        return populate_as_advised(worker, request, start, end, POPULATE_WRITE);
    case MEMSRV_ADVICE_COLLAPSE:
        return huge_collapse_range(worker, pid, start, end);
    default:
        return 0;
    }
}

int memsrv_handle_advise(struct memsrv_context *context, const struct message *request, uint64_t address,
                         uint64_t length, uint64_t advice)
{
    const struct advice *known = find_advice(advice);
    struct space *space;
    uint64_t end;

    int error = known ? advised_range_check(address, length, &end) : -EINVAL;
    if (error || end == address)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = check_areas(space, known, address, end);
    bool covered = range_is_covered_locked(space, address, end);
    if (!error && (known->set | known->clear))
        error = range_change_flags_locked(space, address, end, known->set, known->clear, 0);
    if (!error && advice == MEMSRV_ADVICE_DONT_NEED)
        error = space_ready_to_change_locked(space, address, end, false);
    if (!error && advice == MEMSRV_ADVICE_DONT_NEED)
        release_touched_locked(context, space, address, end);
    if (!error && tells_pager(advice))
        tell_pager_locked(space, address, end, advice);
    space_leave(space);
    if (!error)
        error = act(context, request, known, address, end);
    return error || covered ? error : -ENOMEM;
}
