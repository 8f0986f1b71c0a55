/* SPDX-License-Identifier: MIT */
/* Mapping and unmapping: areas first, planned so that nothing can fail half way, then the pages. */
#include "map.h"

#include <errno.h>

#include <base/bits.h>

#include "areas.h"
#include "layout.h"
#include "limits.h"
#include "records.h"
#include "space_pages.h"
#include "space_tables.h"

int protection_check(uint64_t protection)
{
    if (protection & ~VMA_ACCESS)
        return -EINVAL;
    return (protection & VMA_WRITE) && (protection & VMA_EXECUTE) ? -EACCES : 0;
}

int range_check(uint64_t address, uint64_t length, uint64_t *end)
{
    if (!is_aligned(address, PAGE_SIZE) || address < AREAS_LOW || length == 0)
        return -EINVAL;
    if (address >= USER_VA_END || length > USER_VA_END - address)
        return -EINVAL;
    *end = address + align_up(length, PAGE_SIZE);
    return 0;
}

int place_check(uint64_t address, uint64_t length, uint64_t *end)
{
    if (!is_aligned(address, PAGE_SIZE) || length == 0)
        return -EINVAL;
    if (address >= USER_VA_END || length > USER_VA_END - address)
        return -ENOMEM;
    *end = address + align_up(length, PAGE_SIZE);
    return address < AREAS_LOW ? -EPERM : 0;
}

/* --- Adding ------------------------------------------------------------------------------------------------------- */

/* True if nothing is in [start, end), *above follows, and, for memory that is not put there exactly, no stack wants to grow there. */
static bool range_is_free(struct space *space, uint64_t start, uint64_t end, bool exact, struct vma **above)
    REQUIRES(space->lock)
{
    const struct vma *area = *above = vma_find(&space->areas, start);
    if (!area)
        return true;
    if (area->start < end)
        return false;
    return exact || !(area->flags & VMA_GROWS_DOWN) || area->start - end >= STACK_GUARD_BYTES;
}

int find_room_locked(struct space *space, uint64_t length, uint64_t *start, struct vma **above)
{
    struct vma_gap_request gap = {
        .length = length, .alignment = PAGE_SIZE, .low = MAPPINGS_LOW, .high = space->mappings_high};

    for (;;) {
        int error = vma_find_gap(&space->areas, &gap, start, above);
        if (error && gap.high == space->mappings_high && gap.high < MAPPINGS_HIGH) {
            gap.high = MAPPINGS_HIGH; /* what chance took away is better than nothing */
            continue;
        }
        if (error || !*above || !((*above)->flags & VMA_GROWS_DOWN) ||
            (*above)->start - (*start + length) >= STACK_GUARD_BYTES)
            return error;
        /* Too close below a stack: on with what is below its guard. */
        if ((*above)->start < MAPPINGS_LOW + STACK_GUARD_BYTES)
            return -ENOMEM;
        gap.high = (*above)->start - STACK_GUARD_BYTES;
    }
}

/* Chooses where the area of a request goes; *above follows it. */
static int choose_range(struct space *space, const struct area_request *request, uint64_t *start, uint64_t *end,
                        struct vma **above) REQUIRES(space->lock)
{
    if (request->exact) {
        *start = request->address;
        int error = place_check(*start, request->length, end);
        if (!error && !range_is_free(space, *start, *end, true, above))
            error = -EEXIST;
        return error;
    }
    if (request->length == 0)
        return -EINVAL;
    if (request->length > MAPPINGS_HIGH - MAPPINGS_LOW)
        return -ENOMEM;
    if (request->address && request->address < USER_VA_END) {
        *start = align_up(request->address, PAGE_SIZE);
        if (!place_check(*start, request->length, end) && range_is_free(space, *start, *end, false, above))
            return 0;
    }
    uint64_t length = align_up(request->length, PAGE_SIZE);
    int error = find_room_locked(space, length, start, above);
    *end = *start + length;
    return error;
}

/* Checks limits and gets the promise of memory for the pages of a request; *flags get VMA_CHARGED. */
static int admit(const struct space *space, const struct area_request *request, uint64_t pages, uint64_t replaced,
                 uint64_t *flags) REQUIRES(space->lock)
{
    int error = request->privileged ? 0 : limits_admit_locked(space, *flags, pages, replaced);
    return error ? error : limits_charge_area_locked(space, flags, pages);
}

static uint64_t offset_for(const struct area_request *request, uint64_t start)
{
    return request->object || (request->flags & VMA_DEVICE) ? request->offset : start;
}

/* Puts a fresh record into the tree; cannot fail, because the range was found free. Returns the merged area. */
static struct vma *insert(struct space *space, struct vma *area, const struct area_request *request, uint64_t flags,
                          uint64_t start, uint64_t end, struct vma *above) REQUIRES(space->lock)
{
    area->start = start;
    area->end = end;
    area->flags = flags;
    area->offset = offset_for(request, start);
    area->object = request->object;
    area->touched = flags & VMA_DEVICE;
    return area_insert_locked(space, area, above);
}

/* Stretches the area above over [start, end) of anonymous memory, if it is of the same kind; no record is needed. */
static struct vma *stretch(struct space *space, struct vma *above, uint64_t flags, uint64_t start, uint64_t end)
    REQUIRES(space->lock)
{
    if (!above || above->start != end || above->flags != flags || above->object || above->offset != end ||
        (flags & (VMA_NO_MERGE | VMA_GROWS_DOWN)))
        return NULL;
    const struct vma *below = vma_previous(&space->areas, above);
    if (below && below->end == start && below->flags == flags)
        return NULL; /* all three become one */
    area_resize_locked(space, above, start, above->end);
    return above;
}

struct vma *area_add_locked(struct space *space, const struct area_request *request, uint64_t *address, int *error)
{
    uint64_t end, flags = request->flags;
    struct vma *area, *above;

    *error = choose_range(space, request, address, &end, &above);
    if (!*error)
        *error = admit(space, request, pages_of(end - *address), 0, &flags);
    if (*error)
        return NULL;
    area = request->object ? NULL : stretch(space, above, flags, *address, end);
    if (area)
        return area;
    area = space->areas.count < MEMSRV_AREA_QUOTA ? area_alloc() : NULL;
    if (area)
        return insert(space, area, request, flags, *address, end, above);
    if (flags & VMA_CHARGED)
        limits_uncharge(pages_of(end - *address));
    *error = -ENOMEM;
    return NULL;
}

/* --- Removing ----------------------------------------------------------------------------------------------------- */

int plan_range_locked(struct space *space, uint64_t start, uint64_t end, struct vma_cut_plan *plan)
{
    int error = vma_cut_plan(&space->areas, start, end, plan);
    if (error)
        return error;
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        if (area->flags & AREA_BUFFER)
            return -EPERM;
    }
    if (space->areas.count + plan->nodes_needed > MEMSRV_AREA_QUOTA)
        return -ENOMEM;
    return space_ready_to_change_locked(space, start, end, false);
}

void release_touched_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
{
    uint64_t from = end, to = start;

    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        if (!area->touched)
            continue;
        if (from == end)
            from = area->start > start ? area->start : start;
        to = area->end < end ? area->end : end;
    }
    if (from >= to)
        return;
    space_wait_for_faults_locked(worker, space);
    space_release_locked(worker, space, from, to);
}

void remove_planned_locked(struct memsrv_context *worker, struct space *space, const struct vma_cut_plan *plan,
                           struct vma *const nodes[])
{
    if (!plan->has_areas)
        return;
    release_touched_locked(worker, space, plan->start, plan->end);
    struct vma *area = areas_cut_locked(space, plan, nodes);
    while (area && area->start < plan->end) {
        struct vma *next = vma_next(&space->areas, area);
        area_drop_locked(worker, space, area);
        area = next;
    }
}

/* Cuts off an end of the one area in a planned range. True: that was all. */
static bool trim(struct memsrv_context *worker, struct space *space, const struct vma_cut_plan *plan)
    REQUIRES(space->lock)
{
    struct vma *area = plan->cut_start ? plan->cut_start : plan->cut_end;
    const struct vma *next;

    if (plan->nodes_needed != 1)
        return false;
    next = vma_next(&space->areas, area);
    if (plan->cut_start ? next && next->start < plan->end : area->start < plan->start)
        return false;
    if (plan->cut_end && vma_find(&space->areas, plan->start) != area)
        return false;
    uint64_t start = plan->cut_start ? area->start : plan->end, end = plan->cut_start ? plan->start : area->end;
    release_touched_locked(worker, space, plan->start, plan->end);
    area_resize_locked(space, area, start, end);
    return true;
}

/* Removes one area as it is. ENOMEM: a table that others use, too, cannot be copied; nothing was changed. */
static int remove_whole(struct memsrv_context *worker, struct space *space, struct vma *area) REQUIRES(space->lock)
{
    if (area->touched) {
        int error = space_ready_to_change_locked(space, area->start, area->end, false);
        if (error)
            return error;
        space_wait_for_faults_locked(worker, space);
        space_release_locked(worker, space, area->start, area->end);
    }
    area_drop_locked(worker, space, area);
    return 0;
}

int area_remove_locked(struct memsrv_context *worker, struct space *space, uint64_t address, uint64_t length)
{
    struct vma_cut_plan plan;
    struct spares spares;

    if (!is_aligned(address, PAGE_SIZE) || length == 0 || address >= USER_VA_END || length > USER_VA_END - address)
        return -EINVAL;
    uint64_t end = address + align_up(length, PAGE_SIZE);
    if (address < AREAS_LOW)
        address = AREAS_LOW;
    if (address >= end)
        return 0;
    struct vma *area = vma_find(&space->areas, address);
    if (!area || area->start >= end)
        return 0;
    if (area->start == address && area->end == end && !(area->flags & AREA_BUFFER))
        return remove_whole(worker, space, area);
    int error = plan_range_locked(space, address, end, &plan);
    if (error || trim(worker, space, &plan))
        return error;
    error = spares_get(&spares, plan.nodes_needed);
    if (!error)
        remove_planned_locked(worker, space, &plan, spares.areas);
    return error;
}

/* Pages of [start, end) that areas cover. */
static uint64_t covered_pages(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    uint64_t pages = 0;
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        uint64_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        pages += pages_of(to - from);
    }
    return pages;
}

int area_replace_locked(struct memsrv_context *worker, struct space *space, const struct area_request *request)
{
    struct vma_cut_plan plan;
    struct spares spares;
    uint64_t end, flags = request->flags;

    int error = place_check(request->address, request->length, &end);
    if (!error)
        error = plan_range_locked(space, request->address, end, &plan);
    if (!error && space->areas.count + plan.nodes_needed >= MEMSRV_AREA_QUOTA)
        error = -ENOMEM;
    if (!error)
        error = spares_get(&spares, plan.nodes_needed + 1);
    if (error)
        return error;
    error =
        admit(space, request, pages_of(end - request->address), covered_pages(space, request->address, end), &flags);
    if (error) {
        spares_free(&spares);
        return error;
    }
    remove_planned_locked(worker, space, &plan, spares.areas);
    (void)insert(space, spares.areas[plan.nodes_needed], request, flags, request->address, end,
                 vma_find(&space->areas, request->address));
    return 0;
}

/* --- What grows --------------------------------------------------------------------------------------------------- */

/* Stretches the heap's area. EXDEV: it cannot be stretched, another area must follow it. */
static int heap_stretch(struct space *space, struct vma *heap, uint64_t flags, uint64_t new_end) REQUIRES(space->lock)
{
    const struct vma *next = vma_next(&space->areas, heap);
    uint64_t charged = flags, pages = pages_of(new_end - heap->end);

    if ((heap->flags & ~VMA_CHARGED) != flags)
        return -EXDEV;
    if (next &&
        (next->start < new_end || ((next->flags & VMA_GROWS_DOWN) && next->start - new_end < STACK_GUARD_BYTES)))
        return -ENOMEM;
    int error = limits_admit_locked(space, flags, pages, 0);
    if (!error)
        error = limits_charge_area_locked(space, &charged, pages);
    if (error)
        return error;
    if (charged == heap->flags) {
        area_resize_locked(space, heap, heap->start, new_end);
        return 0;
    }
    if (charged & VMA_CHARGED)
        limits_uncharge(pages);
    return -EXDEV;
}

/* Moves the upper end of the heap from `old_end` up. */
static int heap_grow(struct space *space, uint64_t old_end, uint64_t new_end) REQUIRES(space->lock)
{
    const uint64_t flags = VMA_READ | VMA_WRITE | VMA_HEAP | space->future_lock;
    struct vma *heap = vma_at(&space->areas, old_end - 1);
    uint64_t address;
    int error = heap && heap->end == old_end ? heap_stretch(space, heap, flags, new_end) : -EXDEV;

    if (error != -EXDEV)
        return error;
    const struct area_request request = {
        .address = old_end, .length = new_end - old_end, .flags = flags, .exact = true};
    return area_add_locked(space, &request, &address, &error) ? 0 : error;
}

uint64_t heap_move_locked(struct memsrv_context *worker, struct space *space, uint64_t end)
{
    if (!space->heap_start)
        space->heap_start = space->heap_end = space->image_end + layout_heap_offset();
    if (end < space->heap_start || end > MAPPINGS_LOW)
        return space->heap_end;
    uint64_t old_end = align_up(space->heap_end, PAGE_SIZE);
    uint64_t new_end = align_up(end, PAGE_SIZE);
    int error = 0;
    if (new_end > old_end)
        error = heap_grow(space, old_end, new_end);
    else if (new_end < old_end)
        error = area_remove_locked(worker, space, new_end, old_end - new_end);
    if (!error)
        space->heap_end = end;
    return space->heap_end;
}

struct vma *area_grow_down_locked(struct space *space, uint64_t address)
{
    struct vma *area = vma_find(&space->areas, address);
    uint64_t start;

    if (!area || !(area->flags & VMA_GROWS_DOWN))
        return NULL;
    if (vma_plan_growth_down(&space->areas, area, address, STACK_GUARD_BYTES, space->limits.limits[RESOURCE_STACK].soft,
                             &start))
        return NULL;
    uint64_t pages = pages_of(area->start - start);
    if (limits_admit_locked(space, area->flags, pages, 0) ||
        ((area->flags & VMA_CHARGED) && limits_charge_locked(space, pages)))
        return NULL;
    area_resize_locked(space, area, start, area->end);
    return area;
}
