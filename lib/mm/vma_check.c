/* SPDX-License-Identifier: MIT */
/* The walker of the area tree. */
#include <errno.h>

#include "vma_internal.h"

/* The state of a walk in address order. */
struct walk {
    const struct vma_tree *tree;
    const struct list *expected; /* the link that the next node must have */
    uint64_t end;                /* of the area before */
    uint64_t count, bytes;
    bool cached_seen;
};

/* Checks one node against the list and the area before it. */
static bool visit(struct walk *walk, const struct vma *vma)
{
    if (&vma->link != walk->expected || vma->link.next->previous != &vma->link ||
        vma->link.previous->next != &vma->link)
        return false;
    if (!vma_range_valid(walk->tree, vma->start, vma->end) || vma->start < walk->end ||
        vma->gap != vma->start - walk->end)
        return false;
    walk->expected = vma->link.next;
    walk->end = vma->end;
    walk->count++;
    walk->bytes += vma->end - vma->start;
    if (walk->tree->cached == vma)
        walk->cached_seen = true;
    return true;
}

static bool subtree_ok(struct walk *walk, const struct vma *vma, const struct vma *parent, uint32_t depth)
{
    if (!vma)
        return true;
    if (depth > VMA_HEIGHT_MAX || vma->parent != parent || !subtree_ok(walk, vma->left, vma, depth + 1) ||
        !visit(walk, vma) || !subtree_ok(walk, vma->right, vma, depth + 1))
        return false;
    uint32_t left = vma->left ? vma->left->height : 0, right = vma->right ? vma->right->height : 0;
    uint64_t gap = vma->gap;
    if (vma->left && vma->left->largest_gap > gap)
        gap = vma->left->largest_gap;
    if (vma->right && vma->right->largest_gap > gap)
        gap = vma->right->largest_gap;
    return left <= right + 1 && right <= left + 1 && vma->height == 1 + (left > right ? left : right) &&
           vma->largest_gap == gap;
}

int vma_tree_check(const struct vma_tree *tree)
{
    struct walk walk = {.tree = tree, .expected = tree->areas.next, .end = tree->low};
    if (!subtree_ok(&walk, tree->root, NULL, 1))
        return -EIO;
    if (walk.expected != &tree->areas || walk.count != tree->count || walk.bytes != tree->bytes)
        return -EIO;
    return tree->cached && !walk.cached_seen ? -EIO : 0;
}
