/* SPDX-License-Identifier: MIT */
/*
 * Memory that is contiguous for the program alone: single pages, mapped one behind the other in a range of addresses,
 * each area followed by a guard page that is never mapped. The page in front of an area is another's guard page, or
 * free, or in front of the range, so it is not mapped either.
 *
 * In every call: sizes are bytes; `cpu` as in kmem_cache.h; space->lock is taken inside and not held while pages are
 * taken, given back, mapped and unmapped.
 */
#ifndef MM_VMALLOC_H
#define MM_VMALLOC_H

#include <mm/kmalloc.h>
#include <mm/vma.h>

struct vmalloc_ops {
    /* Maps `count` pages at `address`, page-aligned, to be read and written. All or, with a negative errno, none. */
    int (*map)(void *context, uint64_t address, struct page *const pages[], uint64_t count);

    /* Undoes that for `count` pages, which were mapped by one call. Nobody reaches the pages when it returns. */
    void (*unmap)(void *context, uint64_t address, uint64_t count);

    void *context;
};

struct vmalloc_area {
    struct vma range;    /* [start, end) with the guard page, the last */
    struct page **pages; /* of the heap */
    uint64_t count;      /* pages, without the guard page */
    uint64_t caller;     /* return address of the call that made it */
    bool ready;          /* mapped: not about to come or go */
};

struct vmalloc_space {
    struct spinlock lock; /* order: before those of heap and source */
    struct vma_tree areas GUARDED_BY(lock);
    uint64_t pages GUARDED_BY(lock);    /* in areas */
    uint64_t failures GUARDED_BY(lock); /* allocations */

    /* Fixed by vmalloc_init(). */
    uint64_t bytes; /* of addresses */
    const struct vmalloc_ops *ops;
    const struct page_source *source; /* of single pages */
    struct kmalloc_heap *heap;        /* for records */
};

/* Makes an empty space of addresses [low, high), page-aligned; what lies right in front of it is never mapped. */
void vmalloc_init(struct vmalloc_space *space, uint64_t low, uint64_t high, const struct vmalloc_ops *ops,
                  const struct page_source *source, struct kmalloc_heap *heap);

/* Maps enough pages for `size` bytes, of undefined content; the caller owns the memory. NULL: size 0, no room in the
 * space, no memory, or the mapping failed; nothing is left behind. */
MUST_CHECK void *vmalloc(struct vmalloc_space *space, unsigned cpu, uint64_t size) EXCLUDES(space->lock);

/* The same, zeroed. */
MUST_CHECK void *vzalloc(struct vmalloc_space *space, unsigned cpu, uint64_t size) EXCLUDES(space->lock);

/* Unmaps the memory and gives its pages back. NULL is fine. EINVAL: it is not the start of an area, or another thread
 * is freeing it. */
MUST_CHECK int vfree(struct vmalloc_space *space, unsigned cpu, void *memory) EXCLUDES(space->lock);

struct vmalloc_info {
    uint64_t start, end; /* without the guard page */
    uint64_t caller;
};

/* Describes the area at `address`, or the first behind it: for lists. ENOENT: there is none. */
MUST_CHECK int vmalloc_next(struct vmalloc_space *space, uint64_t address, struct vmalloc_info *info)
    EXCLUDES(space->lock);

/* The page that is mapped at an address, of any alignment. NULL: none, a guard page is there or nothing. */
MUST_CHECK struct page *vmalloc_page(struct vmalloc_space *space, const void *address) EXCLUDES(space->lock);

/* Pages in areas. */
uint64_t vmalloc_pages(struct vmalloc_space *space) EXCLUDES(space->lock);

/* 0, or EIO (negative) if the tree, an area's size or the count of pages is wrong. */
MUST_CHECK int vmalloc_check(struct vmalloc_space *space) EXCLUDES(space->lock);

#endif
