/* SPDX-License-Identifier: MIT */
/* Cutting areas at the ends of a range, and merging them again. */
#include <errno.h>

#include "vma_internal.h"

int vma_cut_plan(struct vma_tree *tree, uint64_t start, uint64_t end, struct vma_cut_plan *plan)
{
    if (!vma_range_valid(tree, start, end))
        return -EINVAL;
    *plan = (struct vma_cut_plan){.start = start, .end = end};
    struct vma *vma = vma_find(tree, start);
    if (!vma || vma->start >= end)
        return 0;
    plan->has_areas = true;
    plan->covered = vma->start <= start;
    if (vma->start < start)
        plan->cut_start = vma;
    while (vma->end < end) {
        struct vma *next = vma_next(tree, vma);
        if (!next || next->start != vma->end)
            plan->covered = false;
        if (!next || next->start >= end)
            break;
        vma = next;
    }
    if (vma->end > end)
        plan->cut_end = vma;
    plan->nodes_needed = (plan->cut_start ? 1 : 0) + (plan->cut_end ? 1 : 0);
    return 0;
}

/* Makes *node the part of `vma` from `address` on and puts it into the tree. */
static struct vma *split(struct vma_tree *tree, struct vma *vma, uint64_t address, struct vma *node)
{
    struct vma *next = vma_next(tree, vma);
    node->start = address;
    node->end = vma->end;
    node->flags = vma->flags;
    node->offset = vma->offset + (address - vma->start);
    node->object = vma->object;
    node->touched = vma->touched;
    node->owner = vma->owner;
    list_init(&node->object_link);
    tree->bytes -= vma->end - address;
    vma->end = address;
    vma_link(tree, node, next);
    return node;
}

struct vma *vma_cut_apply(struct vma_tree *tree, const struct vma_cut_plan *plan, struct vma *const nodes[])
{
    struct vma *cut_end = plan->cut_end;
    struct vma *first = NULL;
    unsigned used = 0;
    if (!plan->has_areas)
        return NULL;
    if (plan->cut_start) {
        first = split(tree, plan->cut_start, plan->start, nodes[used++]);
        if (cut_end == plan->cut_start)
            cut_end = first;
    }
    if (cut_end)
        split(tree, cut_end, plan->end, nodes[used++]);
    ASSERT(used == plan->nodes_needed);
    CHECK_DEEP(vma_tree_check(tree) == 0);
    return first ? first : vma_find(tree, plan->start);
}

bool vma_can_merge(const struct vma *lower, const struct vma *upper)
{
    return lower->end == upper->start && lower->flags == upper->flags && lower->object == upper->object &&
           !(lower->flags & VMA_NO_MERGE) && lower->offset + (lower->end - lower->start) == upper->offset;
}

/* Removes `upper` and stretches `lower` over its range. */
static void absorb(struct vma_tree *tree, struct vma *lower, struct vma *upper, struct list *released)
{
    uint64_t end = upper->end;
    vma_remove(tree, upper);
    tree->bytes += end - lower->end;
    lower->end = end;
    lower->touched = lower->touched || upper->touched;
    vma_update_gap(tree, vma_next(tree, lower));
    list_push_back(released, &upper->link);
}

struct vma *vma_merge(struct vma_tree *tree, struct vma *vma, struct list *released)
{
    struct vma *previous = vma_previous(tree, vma);
    if (previous && vma_can_merge(previous, vma)) {
        absorb(tree, previous, vma, released);
        vma = previous;
    }
    struct vma *next = vma_next(tree, vma);
    if (next && vma_can_merge(vma, next))
        absorb(tree, vma, next, released);
    CHECK_DEEP(vma_tree_check(tree) == 0);
    return vma;
}
