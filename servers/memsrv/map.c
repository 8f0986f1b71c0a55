/* SPDX-License-Identifier: MIT */
/* Mapping, unmapping, protecting: areas first, planned so that nothing can fail half way, then the pages. */
#include <errno.h>

#include <base/bits.h>

#include "map.h"
#include "records.h"
#include "space_pages.h"

/* Records that a change needs: two for the ends that are cut, one for a new area. */
#define SPARES_MAX 3u

struct spares {
    unsigned count;
    struct vma *areas[SPARES_MAX];
};

static void spares_free(struct spares *spares)
{
    while (spares->count)
        area_free(spares->areas[--spares->count]);
}

static int spares_get(struct spares *spares, unsigned count)
{
    for (spares->count = 0; spares->count < count; spares->count++) {
        spares->areas[spares->count] = area_alloc();
        if (!spares->areas[spares->count]) {
            spares_free(spares);
            return -ENOMEM;
        }
    }
    return 0;
}

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

/* --- Adding ------------------------------------------------------------------------------------------------------- */

/* True if nothing is in [start, end). */
static bool range_is_free(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    const struct vma *area = vma_find(&space->areas, start);
    return !area || area->start >= end;
}

/* Chooses where the area of a request goes. */
static int choose_range(struct space *space, const struct area_request *request, uint64_t *start, uint64_t *end)
    REQUIRES(space->lock)
{
    if (request->address || request->exact) {
        int error = range_check(request->address, request->length, end);
        *start = request->address;
        if (error)
            return error;
        if (range_is_free(space, *start, *end))
            return 0;
        if (request->exact)
            return -EEXIST;
    }
    if (request->length == 0)
        return -EINVAL;
    if (request->length > MAPPINGS_HIGH - MAPPINGS_LOW)
        return -ENOMEM;
    const struct vma_gap_request gap = {.length = align_up(request->length, PAGE_SIZE),
                                        .alignment = PAGE_SIZE,
                                        .low = MAPPINGS_LOW,
                                        .high = MAPPINGS_HIGH};
    int error = vma_find_gap(&space->areas, &gap, start);
    *end = *start + gap.length;
    return error;
}

/* Puts a fresh record into the tree; cannot fail, because the range was found free. Returns the merged area. */
static struct vma *insert_area(struct space *space, struct vma *area, const struct area_request *request,
                               uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    struct list released;

    area->start = start;
    area->end = end;
    area->flags = request->flags;
    area->offset = request->flags & VMA_DEVICE ? request->physical : start;
    area->object = NULL;
    int error = vma_insert(&space->areas, area);
    ASSERT(error == 0);
    (void)error;
    list_init(&released);
    area = vma_merge(&space->areas, area, &released);
    areas_free(&released);
    return area;
}

struct vma *area_add_locked(struct space *space, const struct area_request *request, uint64_t *address, int *error)
{
    struct spares spares;
    uint64_t end;

    *error = choose_range(space, request, address, &end);
    if (!*error && space->areas.count >= MEMSRV_AREA_QUOTA)
        *error = -ENOMEM;
    if (!*error)
        *error = spares_get(&spares, 1);
    return *error ? NULL : insert_area(space, spares.areas[0], request, *address, end);
}

/* --- Removing ----------------------------------------------------------------------------------------------------- */

/* Plans the cut of a range whose areas all may be changed by the program. */
static int plan_range(struct space *space, uint64_t start, uint64_t end, struct vma_cut_plan *plan)
    REQUIRES(space->lock)
{
    int error = vma_cut_plan(&space->areas, start, end, plan);
    if (error)
        return error;
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        if (area->flags & AREA_BUFFER)
            return -EPERM;
    }
    return space->areas.count + plan->nodes_needed > MEMSRV_AREA_QUOTA ? -ENOMEM : 0;
}

/* Removes areas and pages of a planned range. Cannot fail. */
static void remove_planned(struct memsrv_context *worker, struct space *space, const struct vma_cut_plan *plan,
                           struct vma *const nodes[]) REQUIRES(space->lock)
{
    if (!plan->has_areas)
        return;
    struct vma *area = vma_cut_apply(&space->areas, plan, nodes);
    while (area && area->start < plan->end) {
        struct vma *next = vma_next(&space->areas, area);
        vma_remove(&space->areas, area);
        area_free(area);
        area = next;
    }
    space_wait_for_faults_locked(worker, space);
    space_release_locked(worker, space, plan->start, plan->end);
}

int area_remove_locked(struct memsrv_context *worker, struct space *space, uint64_t address, uint64_t length)
{
    struct vma_cut_plan plan;
    struct spares spares;
    uint64_t end;

    int error = range_check(address, length, &end);
    if (!error)
        error = plan_range(space, address, end, &plan);
    if (!error)
        error = spares_get(&spares, plan.nodes_needed);
    if (!error)
        remove_planned(worker, space, &plan, spares.areas);
    return error;
}

int area_replace_locked(struct memsrv_context *worker, struct space *space, const struct area_request *request)
{
    struct vma_cut_plan plan;
    struct spares spares;
    uint64_t end;

    int error = range_check(request->address, request->length, &end);
    if (!error)
        error = plan_range(space, request->address, end, &plan);
    if (!error && space->areas.count + plan.nodes_needed >= MEMSRV_AREA_QUOTA)
        error = -ENOMEM;
    if (!error)
        error = spares_get(&spares, plan.nodes_needed + 1);
    if (error)
        return error;
    remove_planned(worker, space, &plan, spares.areas);
    (void)insert_area(space, spares.areas[plan.nodes_needed], request, request->address, end);
    return 0;
}

/* --- Protecting --------------------------------------------------------------------------------------------------- */

/* Sets the rights of all areas of a planned range and merges what has become equal. Cannot fail. */
static void protect_areas(struct space *space, const struct vma_cut_plan *plan, struct vma *const nodes[],
                          uint64_t protection) REQUIRES(space->lock)
{
    struct list released;
    struct vma *first = vma_cut_apply(&space->areas, plan, nodes);

    for (struct vma *area = first; area && area->start < plan->end; area = vma_next(&space->areas, area))
        area->flags = (area->flags & ~VMA_ACCESS) | protection;
    list_init(&released);
    for (struct vma *area = first; area && area->start <= plan->end; area = vma_next(&space->areas, area))
        area = vma_merge(&space->areas, area, &released);
    areas_free(&released);
}

/* True if the range holds device registers. */
static bool range_has_device(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area)) {
        if (area->flags & VMA_DEVICE)
            return true;
    }
    return false;
}

int area_protect_locked(struct memsrv_context *worker, struct space *space, uint64_t address, uint64_t length,
                        uint64_t protection)
{
    struct vma_cut_plan plan;
    struct spares spares;
    uint64_t end;

    int error = protection_check(protection);
    if (!error)
        error = range_check(address, length, &end);
    if (!error)
        error = plan_range(space, address, end, &plan);
    if (!error && !plan.covered)
        error = -ENOMEM;
    if (!error && (protection & VMA_EXECUTE) && range_has_device(space, address, end))
        error = -EACCES;
    if (!error)
        error = spares_get(&spares, plan.nodes_needed);
    if (error)
        return error;
    protect_areas(space, &plan, spares.areas, protection);
    space_wait_for_faults_locked(worker, space);
    space_protect_locked(space, address, end, protection);
    return 0;
}

/* --- The heap ----------------------------------------------------------------------------------------------------- */

static int heap_grow(struct space *space, uint64_t old_end, uint64_t new_end) REQUIRES(space->lock)
{
    struct vma *heap = vma_at(&space->areas, old_end - 1);
    if (heap && (heap->flags & VMA_HEAP) && heap->end == old_end)
        return vma_resize(&space->areas, heap, heap->start, new_end);
    const struct area_request request = {
        .address = old_end, .length = new_end - old_end, .flags = VMA_READ | VMA_WRITE | VMA_HEAP, .exact = true};
    uint64_t address;
    int error;
    return area_add_locked(space, &request, &address, &error) ? 0 : error;
}

uint64_t heap_move_locked(struct memsrv_context *worker, struct space *space, uint64_t end)
{
    if (!space->heap_start)
        space->heap_start = space->heap_end = space->image_end;
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
