/* SPDX-License-Identifier: MIT */
/*
 * The areas of an address space: a balanced tree by address, with the largest gap below each subtree so that free
 * space is found in O(log n), and a list in address order. The tree allocates nothing: nodes are the caller's.
 *
 * In every call: addresses, lengths and offsets are bytes and page-aligned unless said otherwise; the lock of the
 * address space is held (a find writes the tree's cache, so it needs it too); a failure changes nothing.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <base/list.h>
#include <quire/abi.h>

#define VMA_READ       0x001UL
#define VMA_WRITE      0x002UL
#define VMA_EXECUTE    0x004UL
#define VMA_ACCESS     (VMA_READ | VMA_WRITE | VMA_EXECUTE)
#define VMA_SHARED     0x008UL
#define VMA_GROWS_DOWN 0x010UL
#define VMA_STACK      0x020UL
#define VMA_HEAP       0x040UL /* what brk() moves */
#define VMA_DEVICE     0x080UL /* offset is a physical address */
#define VMA_LOCKED     0x100UL
#define VMA_NO_MERGE   0x200UL /* stays an area of its own */

/* What programs asked for. */
#define VMA_NO_RESERVE    0x00400UL /* is no promise of memory, where the overcommit policy lets it be none */
#define VMA_LOCK_ON_FAULT 0x00800UL /* with VMA_LOCKED: pages are locked when they are touched, not before */
#define VMA_RANDOM        0x01000UL /* neighbours of a touched page will not be needed */
#define VMA_SEQUENTIAL    0x02000UL /* will be touched in order */
#define VMA_HUGE          0x04000UL /* huge pages wanted */
#define VMA_NO_HUGE       0x08000UL /* huge pages not wanted */
#define VMA_DONT_FORK     0x20000UL /* a child does not get it */
#define VMA_WIPE_ON_FORK  0x40000UL /* a child finds zeros */

/* What the owner knows. */
#define VMA_CHARGED       0x080000UL /* counted as a promise of memory */
#define VMA_NEVER_READ    0x100000UL /* rights that may not be given to it: VMA_ACCESS << VMA_NEVER_SHIFT */
#define VMA_NEVER_WRITE   0x200000UL
#define VMA_NEVER_EXECUTE 0x400000UL
#define VMA_NEVER_SHIFT   20
#define VMA_NEVER         (VMA_ACCESS << VMA_NEVER_SHIFT)

struct vma {
    uint64_t start, end; /* [start, end) */
    uint64_t flags;      /* VMA_* and whatever else the owner adds; areas merge only if all are equal */
    uint64_t offset;     /* of `start` in the object; anonymous memory uses offset == start */
    void *object;        /* what is mapped; NULL: anonymous memory */

    /* The owner's; a part that is split off, or takes up another, gets what it must have of both. */
    bool touched;            /* false: none of its pages has ever been mapped */
    void *owner;             /* whose area it is */
    struct list object_link; /* among the areas that map the object; of a part that was split off: in no list */

    /* The tree's own. */
    struct list link; /* in address order */
    struct vma *parent, *left, *right;
    uint64_t gap;         /* free bytes right below start */
    uint64_t largest_gap; /* of this subtree */
    uint32_t height;      /* of this subtree; a leaf has 1 */
};

struct vma_tree {
    struct vma *root;
    struct vma *cached; /* the last find's result, or NULL */
    struct list areas;  /* struct vma, link */
    uint64_t low, high; /* all areas lie in [low, high) */
    uint64_t count;     /* areas */
    uint64_t bytes;     /* in areas */
};

/* Makes an empty tree for [low, high). */
void vma_tree_init(struct vma_tree *tree, uint64_t low, uint64_t high);

/* vma_find() without the cached result; for vma_find() alone. */
struct vma *vma_find_in_tree(struct vma_tree *tree, uint64_t address);

/* The first area with end > address (any alignment), which may begin above it; NULL if there is none. */
static inline struct vma *vma_find(struct vma_tree *tree, uint64_t address)
{
    struct vma *cached = tree->cached;
    if (__builtin_expect(cached && address - cached->start < cached->end - cached->start, 1))
        return cached;
    return vma_find_in_tree(tree, address);
}

/* The area that holds `address` (any alignment), or NULL. */
static inline struct vma *vma_at(struct vma_tree *tree, uint64_t address)
{
    struct vma *vma = vma_find(tree, address);
    return vma && vma->start <= address ? vma : NULL;
}

/* The neighbours in address order, or NULL; the first area of the tree, or NULL. */
struct vma *vma_first(const struct vma_tree *tree);
struct vma *vma_next(const struct vma_tree *tree, const struct vma *vma);
struct vma *vma_previous(const struct vma_tree *tree, const struct vma *vma);

/*
 * Puts *vma (start, end, flags, offset, object set by the caller) into the tree, which uses it until vma_remove().
 * EINVAL: empty, unaligned or outside the tree's range; EEXIST: overlaps an area.
 */
MUST_CHECK int vma_insert(struct vma_tree *tree, struct vma *vma);

/* The same for who knows that the range is free, and which area follows it (NULL: none). */
void vma_insert_below(struct vma_tree *tree, struct vma *vma, struct vma *above);

/* Takes an area that is in the tree out of it; the memory is the caller's again. */
void vma_remove(struct vma_tree *tree, struct vma *vma);

/*
 * Moves the ends of an area that is in the tree; `offset` follows the start. EINVAL: empty, unaligned or outside the
 * tree's range; EEXIST: overlaps a neighbour.
 */
MUST_CHECK int vma_resize(struct vma_tree *tree, struct vma *vma, uint64_t start, uint64_t end);

/*
 * Plans the growth of an area with VMA_GROWS_DOWN to the page of `address` (any alignment, below its start): *start
 * is where it would then begin. Something accessible right below keeps `guard` bytes of distance, unless it grows down
 * itself; `limit` is the most that the area may then have. ENOMEM: not enough room, or above the limit; EINVAL: the
 * area does not grow, or the address is not below it or outside the tree's range. Changes nothing: vma_resize() does.
 */
MUST_CHECK int vma_plan_growth_down(const struct vma_tree *tree, const struct vma *vma, uint64_t address,
                                    uint64_t guard, uint64_t limit, uint64_t *start);

struct vma_gap_request {
    uint64_t length;
    uint64_t alignment; /* a power of two, at least PAGE_SIZE */
    uint64_t low, high; /* the result lies in [low, high); both are cut to the tree's range */
};

/*
 * Finds free space, as high as possible, and writes its start. Areas with VMA_GROWS_DOWN get no special treatment.
 * With an alignment above PAGE_SIZE a gap counts only if it holds length + alignment - PAGE_SIZE bytes. O(log n).
 * *above is the area that follows it, or NULL. EINVAL: length 0, unaligned, or bad alignment; ENOMEM: no such space.
 */
MUST_CHECK int vma_find_gap(const struct vma_tree *tree, const struct vma_gap_request *request, uint64_t *start,
                            struct vma **above);

/*
 * Cutting the areas at the two ends of [start, end), in two steps, so that whole areas can then be removed or
 * changed: first the plan, which says how many nodes are needed (0..2) and changes nothing; then, with that many nodes
 * that the caller has got in between, the cut, which cannot fail. The tree must not change in between.
 */
struct vma_cut_plan {
    uint64_t start, end;
    struct vma *cut_start, *cut_end; /* areas to split at start and at end, or NULL */
    unsigned nodes_needed;
    bool has_areas; /* at least one area lies in the range */
    bool covered;   /* the range has no hole */
};

/* EINVAL: empty, unaligned, or outside the tree's range. A range without areas is no error: nodes_needed is 0. */
MUST_CHECK int vma_cut_plan(struct vma_tree *tree, uint64_t start, uint64_t end, struct vma_cut_plan *plan);

/* Splits as planned. `nodes` are plan->nodes_needed nodes, which become part of the tree; object, flags are copied
 * from the split area. Returns the first area in the range, or NULL. */
struct vma *vma_cut_apply(struct vma_tree *tree, const struct vma_cut_plan *plan, struct vma *const nodes[]);

/* True if `lower` ends where `upper` starts and both map the same object the same way with offsets that continue. */
bool vma_can_merge(const struct vma *lower, const struct vma *upper);

/*
 * Merges an area that is in the tree with its two neighbours where that is possible and returns the area that stays
 * (always the lowest). Nodes that are no longer used, at most two, are put on `released` by their link; the caller
 * frees them.
 */
struct vma *vma_merge(struct vma_tree *tree, struct vma *vma, struct list *released);

/* Walks tree and list. 0, or EIO (negative) if order, overlap, balance, heights, gaps, links, cache or totals are
 * wrong. */
MUST_CHECK int vma_tree_check(const struct vma_tree *tree);

#endif
