/* SPDX-License-Identifier: MIT */
/* Flags of the areas in a range: see range.h. */
#include "range.h"

#include <errno.h>

#include <base/bits.h>

#include "areas.h"

int advised_range_check(uint64_t address, uint64_t length, uint64_t *end)
{
    if (!is_aligned(address, PAGE_SIZE) || length > UINT64_MAX - PAGE_SIZE)
        return -EINVAL;
    if (__builtin_add_overflow(address, align_up(length, PAGE_SIZE), end))
        return -EINVAL;
    if (*end > address && (address < AREAS_LOW || *end > USER_VA_END))
        return -ENOMEM;
    return 0;
}

bool range_is_covered_locked(struct space *space, uint64_t start, uint64_t end)
{
    const struct vma *area = vma_at(&space->areas, start);
    while (area && area->end < end) {
        const struct vma *next = vma_next(&space->areas, area);
        area = next && next->start == area->end ? next : NULL;
    }
    return area != NULL;
}

uint64_t range_flags_locked(struct space *space, uint64_t start, uint64_t end)
{
    uint64_t flags = 0;
    for (const struct vma *area = vma_find(&space->areas, start); area && area->start < end;
         area = vma_next(&space->areas, area))
        flags |= area->flags;
    return flags;
}

int range_change_flags_locked(struct space *space, uint64_t start, uint64_t end, uint64_t set, uint64_t clear,
                              uint64_t except)
{
    struct vma_cut_plan plan;
    struct spares spares;

    int error = vma_cut_plan(&space->areas, start, end, &plan);
    if (error || !plan.has_areas)
        return error;
    if (space->areas.count + plan.nodes_needed > MEMSRV_AREA_QUOTA)
        return -ENOMEM;
    error = spares_get(&spares, plan.nodes_needed);
    if (error)
        return error;
    struct vma *first = areas_cut_locked(space, &plan, spares.areas);
    for (struct vma *area = first; area && area->start < end; area = vma_next(&space->areas, area)) {
        if (!(area->flags & except))
            area_set_flags_locked(space, area, (area->flags & ~clear) | set);
    }
    areas_merge_locked(space, first, end);
    return 0;
}
