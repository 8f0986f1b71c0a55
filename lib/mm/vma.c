/* SPDX-License-Identifier: MIT */
/* The area tree: finding, inserting, removing and resizing areas. */
#include <errno.h>
#include <string.h>

#include "vma_internal.h"

void vma_tree_init(struct vma_tree *tree, uint64_t low, uint64_t high)
{
    memset(tree, 0, sizeof(*tree));
    list_init(&tree->areas);
    tree->low = low;
    tree->high = high;
}

struct vma *vma_find_in_tree(struct vma_tree *tree, uint64_t address)
{
    struct vma *best = NULL;
    for (struct vma *vma = tree->root; vma;) {
        if (vma->end <= address) {
            vma = vma->right;
            continue;
        }
        best = vma;
        if (vma->start <= address) {
            tree->cached = vma;
            break;
        }
        vma = vma->left;
    }
    return best;
}

struct vma *vma_first(const struct vma_tree *tree)
{
    struct list *first = list_first(&tree->areas);
    return first ? vma_of(first) : NULL;
}

struct vma *vma_next(const struct vma_tree *tree, const struct vma *vma)
{
    return vma->link.next == &tree->areas ? NULL : vma_of(vma->link.next);
}

struct vma *vma_previous(const struct vma_tree *tree, const struct vma *vma)
{
    return vma->link.previous == &tree->areas ? NULL : vma_of(vma->link.previous);
}

/* Where the area below `vma` ends, or where the tree's range begins. */
static uint64_t end_below(const struct vma_tree *tree, const struct vma *vma)
{
    const struct vma *previous = vma_previous(tree, vma);
    return previous ? previous->end : tree->low;
}

void vma_update_gap(struct vma_tree *tree, struct vma *vma)
{
    if (!vma)
        return;
    vma->gap = vma->start - end_below(tree, vma);
    vma_tree_propagate(tree, vma);
}

void vma_link(struct vma_tree *tree, struct vma *vma, struct vma *before)
{
    list_insert_after(before ? before->link.previous : tree->areas.previous, &vma->link);
    vma->gap = vma->start - end_below(tree, vma);
    if (before)
        before->gap = before->start - vma->end;
    vma_tree_attach(tree, vma, vma_previous(tree, vma), before);
    tree->count++;
    tree->bytes += vma->end - vma->start;
}

int vma_insert(struct vma_tree *tree, struct vma *vma)
{
    if (!vma_range_valid(tree, vma->start, vma->end))
        return -EINVAL;
    struct vma *next = vma_find(tree, vma->start);
    if (next && next->start < vma->end)
        return -EEXIST;
    vma_link(tree, vma, next);
    CHECK_DEEP(vma_tree_check(tree) == 0);
    return 0;
}

void vma_insert_below(struct vma_tree *tree, struct vma *vma, struct vma *above)
{
    ASSERT(vma_range_valid(tree, vma->start, vma->end) && (!above || vma->end <= above->start));
    vma_link(tree, vma, above);
    ASSERT(vma->gap <= vma->start);
    CHECK_DEEP(vma_tree_check(tree) == 0);
}

void vma_remove(struct vma_tree *tree, struct vma *vma)
{
    struct vma *next = vma_next(tree, vma);
    ASSERT(tree->count > 0);
    if (tree->cached == vma)
        tree->cached = NULL;
    list_remove(&vma->link);
    if (next)
        next->gap = next->start - end_below(tree, next);
    vma_tree_detach(tree, vma, next);
    tree->count--;
    tree->bytes -= vma->end - vma->start;
    vma->parent = NULL;
    vma->left = NULL;
    vma->right = NULL;
    CHECK_DEEP(vma_tree_check(tree) == 0);
}

int vma_resize(struct vma_tree *tree, struct vma *vma, uint64_t start, uint64_t end)
{
    if (!vma_range_valid(tree, start, end))
        return -EINVAL;
    struct vma *next = vma_next(tree, vma);
    if (start < end_below(tree, vma) || (next && end > next->start))
        return -EEXIST;
    tree->bytes += (end - start) - (vma->end - vma->start);
    if (start != vma->start) {
        vma->offset += start - vma->start;
        vma->start = start;
        vma_update_gap(tree, vma);
    }
    vma->end = end;
    if (next) {
        next->gap = next->start - end;
        vma_tree_propagate(tree, next);
    }
    CHECK_DEEP(vma_tree_check(tree) == 0);
    return 0;
}
