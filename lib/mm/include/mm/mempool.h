/* SPDX-License-Identifier: MIT */
/*
 * A pool with a guaranteed reserve: elements come from an allocator as long as it has any, and then from a reserve
 * that was filled beforehand. What is freed fills the reserve first. So who holds at most min_nr elements at a time,
 * and gives them back without needing more, always goes on.
 *
 * In every call: pool->lock is taken inside; the allocator is called without it; `cpu` is passed on to the allocator.
 */
#ifndef MM_MEMPOOL_H
#define MM_MEMPOOL_H

#include <mm/kmalloc.h>

/* Where elements come from. `alloc` may return NULL. */
struct mempool_ops {
    void *(*alloc)(void *context, unsigned cpu);
    void (*free)(void *context, unsigned cpu, void *element);
};

/* Elements of the kmem cache that is the pool's context. */
extern const struct mempool_ops mempool_kmem_ops;

struct mempool {
    struct spinlock lock;                /* a leaf */
    uint32_t min_nr GUARDED_BY(lock);    /* elements that the reserve holds when it is full */
    uint32_t count GUARDED_BY(lock);     /* elements in it */
    void **elements GUARDED_BY(lock);    /* min_nr of them */
    uint64_t fallbacks GUARDED_BY(lock); /* elements taken from the reserve */
    uint64_t failures GUARDED_BY(lock);  /* it was empty, too */

    /* Fixed by mempool_init(). */
    const struct mempool_ops *ops;
    void *context;
    struct kmalloc_heap *heap; /* for the array */
};

/* Makes a pool with a full reserve of `min_nr` elements. EINVAL: 0; ENOMEM: nothing is left behind. */
MUST_CHECK int mempool_init(struct mempool *pool, uint32_t min_nr, const struct mempool_ops *ops, void *context,
                            struct kmalloc_heap *heap, unsigned cpu);

/* Takes an element; the caller owns it. NULL: the allocator has none, and the reserve is empty. */
MUST_CHECK void *mempool_alloc(struct mempool *pool, unsigned cpu) EXCLUDES(pool->lock);

/* Gives an element back: to the reserve if that is not full, else to the allocator. */
void mempool_free(struct mempool *pool, unsigned cpu, void *element) EXCLUDES(pool->lock);

/* Changes the size of the reserve, with elements for all that is new. One call at a time. EINVAL: 0; ENOMEM: nothing has changed. */
MUST_CHECK int mempool_resize(struct mempool *pool, unsigned cpu, uint32_t min_nr) EXCLUDES(pool->lock);

/* Gives the reserve back and ends the pool. Elements that are out go back to the allocator by its own call. */
void mempool_destroy(struct mempool *pool, unsigned cpu) EXCLUDES(pool->lock);

/* 0, or EIO (negative) if the reserve holds more than it may, or an element twice. */
MUST_CHECK int mempool_check(struct mempool *pool) EXCLUDES(pool->lock);

#endif
