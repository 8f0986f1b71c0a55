/* SPDX-License-Identifier: MIT */
/* Taking pages before they are touched: see populate.h. */
#include "populate.h"

#include <errno.h>

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

int populate(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end, enum populate_how how)
{
    int error = 0;

    while (start < end && !error) {
        struct space *space = space_find(pid);
        if (!space_enter(space, pid))
            return -ESRCH;
        struct vma *area = vma_find(&space->areas, start);
        if (!area || area->start > start) {
            error = -ENOMEM;
        } else {
            uint64_t part = (area->end < end ? area->end : end) - start;
            if (part > FILL_PAGES_MAX * PAGE_SIZE)
                part = FILL_PAGES_MAX * PAGE_SIZE;
            error = fill(worker, space, area, start, start + part, how);
            start += part;
        }
        space_leave(space);
    }
    return error;
}
