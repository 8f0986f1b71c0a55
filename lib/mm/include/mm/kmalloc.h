/* SPDX-License-Identifier: MIT */
/*
 * Memory of any size: one kmem cache for each of a few sizes, whole blocks of pages above the largest. Memory of a
 * power of two is as aligned as it is long (up to a page), any other at least as a pointer.
 *
 * In every call: sizes are bytes; `cpu` as in kmem_cache.h; locks are taken inside.
 */
#ifndef MM_KMALLOC_H
#define MM_KMALLOC_H

#include <mm/kmem_cache.h>

#define KMALLOC_CLASSES   13u
#define KMALLOC_CACHE_MAX 8192UL
#define KMALLOC_MAX       (PAGE_SIZE << MAX_ORDER)

struct kmalloc_heap {
    struct kmem_cache caches[KMALLOC_CLASSES]; /* by size */
    const struct page_source *source;
    void (*report)(const struct kmem_report *report);
    uint64_t large_blocks, large_pages; /* blocks above the largest class, and their pages. Atomic */
};

/*
 * Makes a heap without memory. Of `defaults` the flags, the numbers of partial slabs, secret, source and report count
 * for every class; KMEM_EXTERNAL is EINVAL.
 */
MUST_CHECK int kmalloc_init(struct kmalloc_heap *heap, const struct kmem_cache_args *defaults);

/* The bytes of a class. */
uint32_t kmalloc_class_size(unsigned class);

/* Takes at least `size` bytes of undefined content; the caller owns them. NULL: size is 0 or above KMALLOC_MAX, or
 * there is no memory. */
MUST_CHECK void *kmalloc(struct kmalloc_heap *heap, unsigned cpu, size_t size);

/* The same, zeroed. */
MUST_CHECK void *kzalloc(struct kmalloc_heap *heap, unsigned cpu, size_t size);

/* An array of `count` elements; NULL also if the product does not fit. */
MUST_CHECK void *kmalloc_array(struct kmalloc_heap *heap, unsigned cpu, size_t count, size_t size);

/*
 * Makes memory of the heap larger or smaller: where it is, if it fits there, and otherwise elsewhere, with the content
 * copied and the old memory freed. `memory` NULL: kmalloc(); size 0: kfree(), and NULL. NULL otherwise: as kmalloc();
 * the old memory stays.
 */
MUST_CHECK void *krealloc(struct kmalloc_heap *heap, unsigned cpu, void *memory, size_t size);

/* Gives memory back, from any CPU. NULL: does nothing. What is none of the heap's is reported and left alone. */
void kfree(struct kmalloc_heap *heap, unsigned cpu, void *memory);

/* The bytes that may be used there, at least those asked for; 0 if it is none of the heap's. */
size_t ksize(const struct kmalloc_heap *heap, const void *memory);

/* Shrinks all caches; returns the pages given back. */
uint64_t kmalloc_shrink(struct kmalloc_heap *heap);

/* Pages that the heap holds. */
uint64_t kmalloc_pages(struct kmalloc_heap *heap);

/* Gives everything back and ends the heap; nobody may use it meanwhile. EBUSY: something is in use; the heap goes on. */
MUST_CHECK int kmalloc_destroy(struct kmalloc_heap *heap);

/* kmem_cache_check() of all caches. */
MUST_CHECK int kmalloc_check(struct kmalloc_heap *heap);

#endif
