/* SPDX-License-Identifier: MIT */
/* Which pages are in memory, and bringing them to where they are kept. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "object.h"
#include "parking.h"
#include "range.h"
#include "requests.h"
#include "space_pages.h"

_Static_assert(RESIDENCY_PAGES_MAX == PROTO_DATA_MAX, "one byte a page fills a message");

/* Pages of memory objects are in memory for a mapping that has not touched them, too. */
static void find_object_pages(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end,
                              uint8_t *vector) REQUIRES(space->lock)
{
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        uint64_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        for (uint64_t address = from; area->object && address < to; address += PAGE_SIZE) {
            struct page *page;
            if (object_page(worker, area->object, area_index(area, address), OBJECT_PRESENT, &page) == 0)
                vector[(address - start) >> PAGE_SHIFT] = 1;
        }
    }
}

/* Translations of the space; what is swapped is not in memory. */
static void find_pages(struct space *space, uint64_t start, uint64_t end, uint8_t *vector) REQUIRES(space->lock)
{
    space_find_pages_locked(space, start, end, vector);
    for (uint64_t i = 0; i < (end - start) >> PAGE_SHIFT; i++)
        vector[i] &= ~PAGE_SWAPPED;
}

int memsrv_handle_residency(struct memsrv_context *context, const struct message *request, uint64_t address,
                            uint64_t length, void *vector, size_t vector_capacity, size_t *vector_bytes)
{
    struct space *space;
    uint64_t end;

    int error = advised_range_check(address, length, &end);
    if (error || end == address)
        return error == -EINVAL && address % PAGE_SIZE == 0 ? -ENOMEM : error;
    if (!enter_own(request, &space))
        return -ESRCH;
    if (end - address > (uint64_t)vector_capacity << PAGE_SHIFT)
        end = address + ((uint64_t)vector_capacity << PAGE_SHIFT);
    if (end == address || !range_is_covered_locked(space, address, end))
        error = end == address ? 0 : -ENOMEM;
    else
        find_pages(space, address, end, vector);
    if (!error && end > address)
        find_object_pages(context, space, address, end, vector);
    space_leave(space);
    *vector_bytes = error ? 0 : pages_of(end - address);
    return error;
}

/*
 * Sets the caller aside until the pager has written what the first area of a backed object in [address, end) shows,
 * behind what it has waited for already: the request is made again then. 0: there is none (any more).
 */
static int sync_next_locked(struct memsrv_context *worker, struct space *space, const struct message *request,
                            uint64_t address, uint64_t end) REQUIRES(space->lock)
{
    static uint64_t serial; /* atomic: each wait is for a writing of its own, which begins after it */
    struct parked *record = worker->record;
    const uint64_t start = record->resume > address ? record->resume : address;

    for (const struct vma *area = vma_find(&space->areas, start); start < end && area && area->start < end;
         area = vma_next(&space->areas, area)) {
        const struct object *object = area->object;
        if (!object || !object->backed || !(area->flags & VMA_SHARED))
            continue;
        uint64_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        const struct parking_request wait = {
            .key = {MEMSRV_DEMAND_SYNC, object->id, __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED)},
            .first = area_index(area, from),
            .count = pages_of(to - from),
            .cookie = object->cookie};
        parking_allow(worker, request);
        record->resume = to;
        int error = parking_wait(worker, &wait);
        return error == -EINPROGRESS ? PROTO_PARKED : error;
    }
    record->resume = 0;
    return 0;
}

int memsrv_handle_sync(struct memsrv_context *context, const struct message *request, uint64_t address, uint64_t length,
                       uint64_t flags)
{
    const uint64_t known = MEMSRV_SYNC_ASYNC | MEMSRV_SYNC_INVALIDATE | MEMSRV_SYNC_WAIT;
    const uint64_t both = MEMSRV_SYNC_ASYNC | MEMSRV_SYNC_WAIT;
    struct space *space;
    uint64_t end;

    if ((flags & ~known) || (flags & both) == both)
        return -EINVAL;
    int error = advised_range_check(address, length, &end);
    if (error || end == address)
        return error == -EINVAL && address % PAGE_SIZE == 0 ? -ENOMEM : error;
    if (!enter_own(request, &space))
        return -ESRCH;
    if ((flags & MEMSRV_SYNC_INVALIDATE) && (range_flags_locked(space, address, end) & VMA_LOCKED))
        error = -EBUSY;
    if (!error && !range_is_covered_locked(space, address, end))
        error = -ENOMEM;
    if (!error && (flags & MEMSRV_SYNC_WAIT))
        error = sync_next_locked(context, space, request, address, end);
    space_leave(space);
    return error;
}
