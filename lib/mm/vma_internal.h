/* SPDX-License-Identifier: MIT */
/* What the files of the area tree share. The lock of the address space is held in every call. */
#ifndef MM_VMA_INTERNAL_H
#define MM_VMA_INTERNAL_H

#include <base/bits.h>
#include <mm/vma.h>

/* A tree of this height has more areas than an address space has pages; only a broken tree is higher. */
#define VMA_HEIGHT_MAX 60u

static inline struct vma *vma_of(struct list *link)
{
    return CONTAINER_OF(link, struct vma, link);
}

/* True if [start, end) is a range of whole pages inside the tree's. */
static inline bool vma_range_valid(const struct vma_tree *tree, uint64_t start, uint64_t end)
{
    return start < end && is_aligned(start | end, PAGE_SIZE) && start >= tree->low && end <= tree->high;
}

/* Where the free space below `vma` begins. */
static inline uint64_t vma_gap_start(const struct vma *vma)
{
    return vma->start - vma->gap;
}

/* Links *vma, whose range is free, into tree and list between its neighbours (`before`: the area that follows it in
 * address order, or NULL) and counts it. Neighbours' gaps are brought up to date. */
void vma_link(struct vma_tree *tree, struct vma *vma, struct vma *before);

/* Computes the gap below `vma` (NULL: does nothing) from its neighbour and carries it up the tree. */
void vma_update_gap(struct vma_tree *tree, struct vma *vma);

/* Puts a node between its neighbours (NULL: there is none) and balances the tree; the gaps of node and `next` are set
 * already. */
void vma_tree_attach(struct vma_tree *tree, struct vma *vma, struct vma *previous, struct vma *next);

/* Takes a node out of the tree's shape and balances it; the gap of `next`, the area that follows, is set already. */
void vma_tree_detach(struct vma_tree *tree, struct vma *vma, struct vma *next);

/* Recomputes the largest gaps from `vma` up. */
void vma_tree_propagate(struct vma_tree *tree, struct vma *vma);

#endif
