/* SPDX-License-Identifier: MIT */
/* Giving memory another length or another place. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "limits.h"
#include "map.h"
#include "object.h"
#include "populate.h"
#include "records.h"
#include "requests.h"
#include "shortage.h"
#include "space_pages.h"

/* A checked request: whole pages. */
struct remap {
    uint64_t start, old_length, new_length;
    uint64_t target; /* of REMAP_FIXED */
    uint64_t flags;
};

/* What has to be true of the request alone. */
static int check_request(struct remap *remap)
{
    const uint64_t moving = MEMSRV_REMAP_FIXED | MEMSRV_REMAP_DONT_UNMAP;
    uint64_t limit = USER_VA_END;

    if ((remap->flags & ~(MEMSRV_REMAP_MAY_MOVE | moving)) ||
        ((remap->flags & moving) && !(remap->flags & MEMSRV_REMAP_MAY_MOVE)) || !is_aligned(remap->start, PAGE_SIZE) ||
        remap->new_length == 0)
        return -EINVAL;
    if ((remap->flags & MEMSRV_REMAP_DONT_UNMAP) && remap->old_length != remap->new_length)
        return -EINVAL;
    if (remap->old_length > limit || remap->start >= limit)
        return -EFAULT;
    if (remap->new_length > limit)
        return remap->flags & MEMSRV_REMAP_FIXED ? -EINVAL : -ENOMEM;
    remap->old_length = align_up(remap->old_length, PAGE_SIZE);
    remap->new_length = align_up(remap->new_length, PAGE_SIZE);
    if (!(remap->flags & MEMSRV_REMAP_FIXED))
        return 0;
    if (!is_aligned(remap->target, PAGE_SIZE) || remap->target >= limit || remap->new_length > limit - remap->target ||
        ranges_overlap(remap->start, remap->start + remap->old_length, remap->target,
                       remap->target + remap->new_length))
        return -EINVAL;
    return remap->target < AREAS_LOW ? -EPERM : 0;
}

/* What has to be true of the area that grows or moves. */
static int check_area(const struct vma *area, const struct remap *remap)
{
    if (area->flags & AREA_BUFFER)
        return -EPERM;
    if (remap->old_length == 0 && !(area->flags & VMA_SHARED))
        return -EINVAL;
    if ((remap->flags & MEMSRV_REMAP_DONT_UNMAP) && (area->flags & VMA_DEVICE))
        return -EINVAL;
    if (remap->old_length > area->end - remap->start || (area->flags & VMA_DEVICE))
        return -EFAULT;
    return 0;
}

/* Checks limits, and gets the promise, for `pages` more in an area of the same kind. */
static int admit_more(const struct space *space, const struct vma *area, uint64_t pages) REQUIRES(space->lock)
{
    int error = limits_admit_locked(space, area->flags, pages, 0);
    if (!error && (area->flags & VMA_CHARGED))
        error = limits_charge_locked(space, pages);
    return error;
}

/* True if the area can grow to `end` where it is. */
static bool has_room_above(struct space *space, const struct vma *area, uint64_t end) REQUIRES(space->lock)
{
    const struct vma *next = vma_next(&space->areas, area);
    if (end > USER_VA_END)
        return false;
    if (!next)
        return true;
    uint64_t guard = next->flags & VMA_GROWS_DOWN ? STACK_GUARD_BYTES : 0;
    return next->start >= end && next->start - end >= guard;
}

static int grow_in_place(struct space *space, struct vma *area, const struct remap *remap) REQUIRES(space->lock)
{
    uint64_t end = remap->start + remap->new_length;
    int error = admit_more(space, area, pages_of(end - area->end));
    if (error)
        return error;
    area_resize_locked(space, area, area->start, end);
    areas_merge_locked(space, area, end);
    return 0;
}

/* --- Moving ------------------------------------------------------------------------------------------------------- */

/* Puts a record for the memory at its new place into the tree, besides the old one. */
static void insert_moved(struct space *space, struct vma *fresh, const struct vma *area, const struct remap *remap)
    REQUIRES(space->lock)
{
    fresh->start = remap->target;
    fresh->end = remap->target + remap->new_length;
    fresh->flags = area->flags & ~VMA_HEAP;
    fresh->object = area->object;
    fresh->offset = area->offset + (remap->start - area->start);
    fresh->touched = area->touched;
    (void)area_insert_locked(space, fresh, vma_find(&space->areas, remap->target));
}

/* Does with the areas of the old place what the request says; takes the records that a cut needs from nodes[]. Returns
 * how many. */
static unsigned leave_place(struct memsrv_context *worker, struct space *space, const struct remap *remap,
                            struct vma *const nodes[], unsigned count) REQUIRES(space->lock)
{
    const uint64_t end = remap->start + remap->old_length;
    struct vma *area = vma_at(&space->areas, remap->start);
    struct vma_cut_plan plan;

    if ((remap->flags & MEMSRV_REMAP_DONT_UNMAP) && !(area->flags & VMA_LOCKED))
        return 0;
    int error = vma_cut_plan(&space->areas, remap->start, end, &plan);
    ASSERT(error == 0 && plan.nodes_needed <= count);
    if (error)
        return 0;
    if (remap->flags & MEMSRV_REMAP_DONT_UNMAP) {
        area = areas_cut_locked(space, &plan, nodes);
        area_set_flags_locked(space, area, area->flags & ~(VMA_LOCKED | VMA_LOCK_ON_FAULT));
        areas_merge_locked(space, area, end);
    } else {
        remove_planned_locked(worker, space, &plan, nodes);
    }
    return plan.nodes_needed;
}

/* Empties a planned place, moves the pages there, and makes the areas follow. ENOMEM: only the place is empty. */
static int apply_move(struct memsrv_context *worker, struct space *space, const struct remap *remap,
                      const struct vma_cut_plan *place, struct spares *spares) REQUIRES(space->lock)
{
    uint64_t moved = remap->old_length < remap->new_length ? remap->old_length : remap->new_length;
    struct vma *const *nodes = spares->areas;
    unsigned used = 0;
    int error = 0;

    remove_planned_locked(worker, space, place, nodes);
    used += place->has_areas ? place->nodes_needed : 0;
    const struct vma *area = vma_at(&space->areas, remap->start);
    if (area->touched && moved) {
        space_wait_for_faults_locked(worker, space);
        error = space_move_pages_locked(space, area, remap->start, remap->target, moved);
    }
    if (!error) {
        insert_moved(space, nodes[used++], area, remap);
        if (remap->old_length)
            used += leave_place(worker, space, remap, nodes + used, spares->count - used);
    }
    while (spares->count > used)
        area_free(spares->areas[--spares->count]);
    return error;
}

static int move(struct memsrv_context *worker, struct space *space, const struct vma *area, struct remap *remap)
    REQUIRES(space->lock)
{
    struct vma_cut_plan place;
    struct spares spares;
    struct vma *above;
    uint64_t flags = area->flags;
    uint64_t growth = remap->new_length > remap->old_length ? pages_of(remap->new_length - remap->old_length) : 0;
    int error = 0;

    if (remap->flags & MEMSRV_REMAP_DONT_UNMAP) {
        growth = pages_of(remap->new_length);
        flags &= ~VMA_LOCKED; /* the lock moves along */
    }

    if (!(remap->flags & MEMSRV_REMAP_FIXED))
        error = find_room_locked(space, remap->new_length, &remap->target, &above);
    if (!error)
        error = plan_range_locked(space, remap->target, remap->target + remap->new_length, &place);
    if (!error && space->areas.count + SPARES_MAX > MEMSRV_AREA_QUOTA)
        error = -ENOMEM;
    if (!error)
        error = limits_admit_locked(space, flags, growth, 0);
    if (!error)
        error = spares_get(&spares, SPARES_MAX);
    if (error)
        return error;
    /* All of the new place is promised before the old promise ends. */
    error = flags & VMA_CHARGED ? limits_charge_locked(space, pages_of(remap->new_length)) : 0;
    if (error) {
        spares_free(&spares);
        return error;
    }
    error = apply_move(worker, space, remap, &place, &spares);
    if (error && (flags & VMA_CHARGED))
        limits_uncharge(pages_of(remap->new_length));
    return error;
}

/* --- The request -------------------------------------------------------------------------------------------------- */

/* Carries out a request; *address is where the memory is then. *flags are those of the area. */
static int remap_locked(struct memsrv_context *worker, struct space *space, struct remap *remap, uint64_t *address,
                        uint64_t *flags) REQUIRES(space->lock)
{
    const bool must_move = remap->flags & (MEMSRV_REMAP_FIXED | MEMSRV_REMAP_DONT_UNMAP);
    struct vma *area = vma_at(&space->areas, remap->start);

    *address = remap->start;
    if (!area)
        return -EFAULT;
    *flags = area->flags;
    if (!must_move && remap->old_length >= remap->new_length) {
        uint64_t cut = remap->old_length - remap->new_length;
        return cut ? area_remove_locked(worker, space, remap->start + remap->new_length, cut) : 0;
    }
    int error = check_area(area, remap);
    if (error)
        return error;
    if (!must_move && remap->old_length == area->end - remap->start &&
        has_room_above(space, area, remap->start + remap->new_length))
        return grow_in_place(space, area, remap);
    if (!(remap->flags & MEMSRV_REMAP_MAY_MOVE))
        return -ENOMEM;
    if (remap->old_length > remap->new_length) {
        /* As in Linux what is cut off goes first, and is gone if the rest cannot move. */
        error =
            area_remove_locked(worker, space, remap->start + remap->new_length, remap->old_length - remap->new_length);
        if (error)
            return error;
        remap->old_length = remap->new_length;
        area = vma_at(&space->areas, remap->start);
    }
    error = move(worker, space, area, remap);
    *address = remap->target;
    return error;
}

int memsrv_handle_remap(struct memsrv_context *context, const struct message *request, uint64_t address,
                        uint64_t old_length, uint64_t new_length, uint64_t flags, uint64_t new_address,
                        uint64_t *address_out)
{
    struct remap remap = {address, old_length, new_length, new_address, flags};
    struct space *space;
    uint64_t area_flags = 0;

    int error = check_request(&remap);
    if (error)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = remap_locked(context, space, &remap, address_out, &area_flags);
    space_leave(space);
    if (!error && is_locked_now(area_flags) && remap.new_length > remap.old_length) {
        int ignored = populate(context, caller_of(request), *address_out + remap.old_length,
                               *address_out + remap.new_length, POPULATE_AS_ALLOWED);
        (void)ignored; /* what is missing comes when it is touched */
    }
    /* What was cut off before the rest could not move is gone, and the request not the same. */
    return old_length > new_length ? error : shortage_result(context, request, error);
}
