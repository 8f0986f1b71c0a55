/* SPDX-License-Identifier: MIT */
/* Area records, what is counted by them, and their objects. */
#include <errno.h>

#include "areas.h"
#include "limits.h"
#include "object.h"
#include "records.h"

void spares_free(struct spares *spares)
{
    while (spares->count)
        area_free(spares->areas[--spares->count]);
}

int spares_get(struct spares *spares, unsigned count)
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

/* Merges an area with its neighbours and frees what is left over. */
static struct vma *merge(struct space *space, struct vma *area) REQUIRES(space->lock)
{
    struct list released;

    list_init(&released);
    area = vma_merge(&space->areas, area, &released);
    for (struct list *link = list_pop_front(&released); link; link = list_pop_front(&released)) {
        struct vma *old = CONTAINER_OF(link, struct vma, link);
        if (old->object)
            object_detach(NULL, old); /* the area that it merged with maps the object, too */
        area_free(old);
    }
    return area;
}

struct vma *area_insert_locked(struct space *space, struct vma *area, struct vma *above)
{
    area->owner = space;
    if (area->object)
        object_attach(area);
    area_count_locked(space, area->flags, pages_of(area->end - area->start));
    vma_insert_below(&space->areas, area, above);
    /* Neighbours that do not touch it do not merge with it. */
    if (area->gap != 0 && (!above || above->start != area->end))
        return area;
    return merge(space, area);
}

void area_drop_locked(struct memsrv_context *worker, struct space *space, struct vma *area)
{
    uint64_t pages = pages_of(area->end - area->start);

    area_uncount_locked(space, area->flags, pages);
    if (area->flags & VMA_CHARGED)
        limits_uncharge(pages);
    vma_remove(&space->areas, area);
    if (area->object)
        object_detach(worker, area);
    area_free(area);
}

struct vma *areas_cut_locked(struct space *space, const struct vma_cut_plan *plan, struct vma *const nodes[])
{
    struct vma *first = vma_cut_apply(&space->areas, plan, nodes);
    for (unsigned i = 0; plan->has_areas && i < plan->nodes_needed; i++) {
        if (nodes[i]->object)
            object_attach(nodes[i]);
    }
    return first;
}

void areas_merge_locked(struct space *space, struct vma *first, uint64_t end)
{
    for (struct vma *area = first; area && area->start <= end; area = vma_next(&space->areas, area))
        area = merge(space, area);
}

void area_resize_locked(struct space *space, struct vma *area, uint64_t start, uint64_t end)
{
    uint64_t before = pages_of(area->end - area->start), after = pages_of(end - start);
    int error = vma_resize(&space->areas, area, start, end);
    ASSERT(error == 0);
    (void)error;
    area_count_locked(space, area->flags, after - before);
    if ((area->flags & VMA_CHARGED) && after < before)
        limits_uncharge(before - after);
}

int areas_check_locked(struct space *space)
{
    uint64_t data = 0, locked = 0, charged = 0;
    int error = vma_tree_check(&space->areas);
    if (error)
        return error;
    for (const struct vma *area = vma_first(&space->areas); area; area = vma_next(&space->areas, area)) {
        uint64_t pages = pages_of(area->end - area->start);
        data += area_is_data(area->flags) ? pages : 0;
        locked += area->flags & VMA_LOCKED ? pages : 0;
        charged += area->flags & VMA_CHARGED ? pages : 0;
        if (area->owner != space || (area->object && !object_knows(area)))
            return -EIO;
    }
    return data == space->data_pages && locked == space->locked_pages && charged == space->charged_pages ? 0 : -EIO;
}
