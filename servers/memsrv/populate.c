/* SPDX-License-Identifier: MIT */
/* Taking pages before they are touched: see populate.h. */
#include "populate.h"

#include <errno.h>

#include "huge.h"
#include "parking.h"
#include "requests.h"
#include "shortage.h"
#include "space_pages.h"

/* True if pages of the area are to be had as writing would get them. */
static bool writes(const struct vma *area, enum populate_how how)
{
    return how == POPULATE_WRITE ||
           (how == POPULATE_AS_ALLOWED && (area->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE);
}

static bool may_touch(const struct vma *area, enum populate_how how)
{
    switch (how) {
    case POPULATE_READ:
        return area->flags & VMA_READ;
    case POPULATE_WRITE:
        return area->flags & VMA_WRITE;
    default:
        return area->flags & VMA_ACCESS;
    }
}

/* Fills a part of one area, of FILL_PAGES_MAX pages at most. */
static int fill(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start, uint64_t end,
                enum populate_how how) REQUIRES(space->lock)
{
    int error = 0;

    if (area->flags & AREA_FILLED)
        return 0;
    if (!may_touch(area, how))
        return -ENOMEM;
    if (!area->object)
        error = space_fill_locked(worker, space, area, start, end);
    for (uint64_t address = start; area->object && address < end && !error; address += PAGE_SIZE)
        error = space_map_object_page_locked(worker, space, area, address, writes(area, how));
    return error == -ENOMEM ? -EAGAIN : error;
}

/* Populates a first part of [start, end), up to the end of the area or of a huge page's place at most. *done is its
 * end. */
static int populate_part(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end,
                         enum populate_how how, uint64_t *done) REQUIRES(space->lock)
{
    struct vma *area = vma_find(&space->areas, start);
    if (!area || area->start > start)
        return -ENOMEM;
    uint64_t rest = (area->end < end ? area->end : end) - start;
    uint64_t part = HUGE_PAGE_SIZE - start % HUGE_PAGE_SIZE;
    *done = start + HUGE_PAGE_SIZE;
    if (part == HUGE_PAGE_SIZE && rest >= part && writes(area, how) && may_touch(area, how) &&
        huge_populate_locked(worker, space, area, start))
        return 0;
    if (part > rest)
        part = rest;
    if (part > FILL_PAGES_MAX * PAGE_SIZE)
        part = FILL_PAGES_MAX * PAGE_SIZE;
    *done = start + part;
    return fill(worker, space, area, start, start + part, how);
}

int populate(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end, enum populate_how how)
{
    int error = 0;

    while (start < end && !error) {
        struct space *space = space_find(pid);
        if (!space_enter(space, pid))
            return -ESRCH;
        error = populate_part(worker, space, start, end, how, &start);
        space_leave(space);
    }
    return error;
}

int populate_or_park(struct memsrv_context *worker, const struct message *request, uint64_t start, uint64_t end,
                     enum populate_how how)
{
    parking_allow(worker, request);
    int error = populate(worker, caller_of(request), start, end, how);
    if (error == -EINPROGRESS)
        return PROTO_PARKED;
    parking_forbid(worker);
    /* Without memory it fails with EAGAIN; ENOMEM is what is not the program's. */
    if (error == -EAGAIN && shortage_park(worker, request) == PROTO_PARKED)
        return PROTO_PARKED;
    return error;
}
