/* SPDX-License-Identifier: MIT */
/* Changing what may be done with memory. */
#include <errno.h>

#include <base/bits.h>

#include "areas.h"
#include "cow.h"
#include "limits.h"
#include "map.h"
#include "object.h"
#include "space_pages.h"
#include "space_tables.h"

/* What an area's flags become. A promise once made is kept. */
static uint64_t new_flags(const struct vma *area, uint64_t protection)
{
    uint64_t flags = (area->flags & ~VMA_ACCESS) | protection;
    return commit_is_promise(&commit_policy, flags) ? flags | VMA_CHARGED : flags;
}

/* Counts what the change of a planned range would add: to the promises, and to the data of the program. EACCES: an area
 * may not get these rights. */
static int add_up(struct space *space, const struct vma_cut_plan *plan, uint64_t protection, uint64_t *promised,
                  uint64_t *data) REQUIRES(space->lock)
{
    for (const struct vma *area = vma_find(&space->areas, plan->start); area && area->start < plan->end;
         area = vma_next(&space->areas, area)) {
        uint64_t start = area->start > plan->start ? area->start : plan->start;
        uint64_t pages = pages_of((area->end < plan->end ? area->end : plan->end) - start);
        uint64_t flags = new_flags(area, protection);
        if (protection & (area->flags >> VMA_NEVER_SHIFT))
            return -EACCES;
        if (flags & ~area->flags & VMA_CHARGED)
            *promised += pages;
        if (area_is_data(flags) && !area_is_data(area->flags))
            *data += pages;
    }
    return 0;
}

/* Checks limits and gets the promise for a planned change. */
static int admit_change(struct space *space, const struct vma_cut_plan *plan, uint64_t protection, uint64_t *promised)
    REQUIRES(space->lock)
{
    uint64_t data = 0;
    int error = add_up(space, plan, protection, promised, &data);

    if (!error && data &&
        !resource_allows(&space->limits, RESOURCE_DATA, space->data_pages << PAGE_SHIFT, data << PAGE_SHIFT))
        error = -ENOMEM;
    if (!error && *promised)
        error = limits_charge_locked(space, *promised);
    return error;
}

/* Gives the translations of [start, end) of one area its rights. In a private mapping, pages of objects, and those that
 * are not there, get the right to write when they are written, and so do pages of backed objects in a shared one. */
static void protect_pages(struct space *space, const struct vma *area, uint64_t start, uint64_t end)
    REQUIRES(space->lock)
{
    uint64_t rights = area->flags & VMA_ACCESS;
    const struct object *object = area->object;
    if (object && (!(area->flags & VMA_SHARED) || object->backed))
        rights &= ~VMA_WRITE;
    else if (!object)
        rights = cow_rights(area);
    if (area->touched)
        space_protect_locked(space, start, end, rights);
}

/* Sets the rights of all areas of a planned range and of their pages, and merges what has become equal. */
static void apply(struct memsrv_context *worker, struct space *space, const struct vma_cut_plan *plan,
                  struct vma *const nodes[], uint64_t protection) REQUIRES(space->lock)
{
    struct vma *first = areas_cut_locked(space, plan, nodes);

    space_wait_for_faults_locked(worker, space);
    for (struct vma *area = first; area && area->start < plan->end; area = vma_next(&space->areas, area)) {
        area_set_flags_locked(space, area, new_flags(area, protection));
        protect_pages(space, area, area->start, area->end);
    }
    areas_merge_locked(space, first, plan->end);
}

int area_protect_locked(struct memsrv_context *worker, struct space *space, uint64_t address, uint64_t length,
                        uint64_t protection)
{
    struct vma_cut_plan plan;
    struct spares spares;
    uint64_t promised = 0;

    if (!is_aligned(address, PAGE_SIZE))
        return -EINVAL;
    if (length == 0)
        return 0;
    int error = protection_check(protection);
    if (error)
        return error;
    if (address < AREAS_LOW || address >= USER_VA_END || length > USER_VA_END - address)
        return -ENOMEM;
    error = plan_range_locked(space, address, address + align_up(length, PAGE_SIZE), &plan);
    if (!error && !plan.covered)
        error = -ENOMEM;
    if (!error)
        error = space_ready_to_change_locked(space, plan.start, plan.end, true);
    if (!error)
        error = spares_get(&spares, plan.nodes_needed);
    if (error)
        return error;
    error = admit_change(space, &plan, protection, &promised);
    if (error) {
        spares_free(&spares);
        return error;
    }
    apply(worker, space, &plan, spares.areas, protection);
    return 0;
}
