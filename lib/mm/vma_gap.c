/* SPDX-License-Identifier: MIT */
/* The search for free space in an address space, from the top down, and room for areas that grow. */
#include <errno.h>

#include "vma_internal.h"

/* What is looked for: `length` bytes within [low, high). */
struct search {
    uint64_t length;
    uint64_t low, high;
};

/* Cuts [start, end) to the search's range; true, with the end of what is left in *top, if enough is left. */
static bool gap_fits(const struct search *search, uint64_t start, uint64_t end, uint64_t *top)
{
    if (start < search->low)
        start = search->low;
    if (end > search->high)
        end = search->high;
    if (start >= end || end - start < search->length)
        return false;
    *top = end;
    return true;
}

/*
 * Finds the highest fitting gap of a subtree. A subtree is entered only if it knows of a gap that is large enough and
 * lies partly within the range, so at most the two paths along the range's ends are walked in vain. The recursion is
 * as deep as the tree is high.
 */
static bool search_subtree(struct vma *vma, const struct search *search, uint64_t *top, struct vma **above)
{
    if (!vma || vma->largest_gap < search->length)
        return false;
    if (vma->end < search->high && search_subtree(vma->right, search, top, above))
        return true;
    if (gap_fits(search, vma_gap_start(vma), vma->start, top)) {
        *above = vma;
        return true;
    }
    return vma_gap_start(vma) > search->low && search_subtree(vma->left, search, top, above);
}

int vma_find_gap(const struct vma_tree *tree, const struct vma_gap_request *request, uint64_t *start,
                 struct vma **above)
{
    uint64_t alignment = request->alignment;
    if (request->length == 0 || !is_aligned(request->length, PAGE_SIZE) || !is_power_of_two(alignment) ||
        alignment < PAGE_SIZE)
        return -EINVAL;
    struct search search = {
        .low = request->low > tree->low ? align_up(request->low, PAGE_SIZE) : tree->low,
        .high = request->high < tree->high ? align_down(request->high, PAGE_SIZE) : tree->high,
    };
    if (__builtin_add_overflow(request->length, alignment - PAGE_SIZE, &search.length))
        return -ENOMEM;
    const struct list *last = list_last(&tree->areas);
    uint64_t last_end = last ? CONTAINER_OF(last, struct vma, link)->end : tree->low;
    uint64_t top;
    *above = NULL;
    if (!gap_fits(&search, last_end, tree->high, &top) && !search_subtree(tree->root, &search, &top, above))
        return -ENOMEM;
    *start = align_down(top - request->length, alignment);
    return 0;
}

int vma_plan_growth_down(const struct vma_tree *tree, const struct vma *vma, uint64_t address, uint64_t guard,
                         uint64_t limit, uint64_t *start)
{
    uint64_t wanted = align_down(address, PAGE_SIZE);
    if (!(vma->flags & VMA_GROWS_DOWN) || address >= vma->start || wanted < tree->low)
        return -EINVAL;
    const struct vma *below = vma_previous(tree, vma);
    if (below && below->end > wanted)
        return -ENOMEM;
    if (below && (below->flags & VMA_ACCESS) && !(below->flags & VMA_GROWS_DOWN) && wanted - below->end < guard)
        return -ENOMEM;
    if (vma->end - wanted > limit)
        return -ENOMEM;
    *start = wanted;
    return 0;
}
