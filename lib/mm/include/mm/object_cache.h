/* SPDX-License-Identifier: MIT */
/*
 * A cache of objects of one size, cut out of single pages that a callback gives. Which objects of a page are in use is
 * noted in a bitmap at the page's start and nothing is stored in free objects, so that a write after a free cannot
 * lead the allocator astray. Pages without objects in use are given back, but for one.
 *
 * In every call: cache->lock is held for _locked; the others take it. The callbacks are called with it held. With
 * checks of level 2, free objects are filled with OBJECT_FREE_BYTE and every allocation proves that nobody wrote to
 * them.
 */
#ifndef MM_OBJECT_CACHE_H
#define MM_OBJECT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <base/list.h>
#include <base/lock.h>
#include <quire/abi.h>

#define OBJECT_FREE_BYTE     0x6b  /* in objects that are free */
#define OBJECT_FRESH_BYTE    0x5a  /* in objects that were just allocated */
#define OBJECT_SIZE_MAX      1984u /* at least two objects fit into a page */
#define OBJECT_SIZE_MIN      16u
#define OBJECTS_PER_SLAB_MAX 252u

/* Where pages come from. `get` returns one page, aligned to PAGE_SIZE, with any content, or NULL; `put` takes it back.
 */
struct object_cache_source {
    void *(*get)(void *context);
    void (*put)(void *context, void *page);
    void *context;
};

struct object_cache {
    struct spinlock lock;                 /* order: before the zone's lock, which `get` and `put` may take */
    struct list partial GUARDED_BY(lock); /* slabs with used and free objects, and at most one without used ones */
    struct list full GUARDED_BY(lock);
    uint64_t slabs GUARDED_BY(lock);       /* pages taken from the source and not given back */
    uint64_t empty_slabs GUARDED_BY(lock); /* of those: without used objects */
    uint64_t used GUARDED_BY(lock);        /* objects */
    uint64_t allocations, frees, failures; /* GUARDED_BY(lock) */

    /* Fixed by object_cache_init(). */
    const char *name;
    struct object_cache_source source;
    uint32_t object_size; /* bytes that the user may touch */
    uint32_t stride;      /* from one object to the next */
    uint32_t first;       /* offset of the first object */
    uint32_t capacity;    /* objects in a slab */
};

/*
 * Makes a cache without pages. Object sizes are bytes, 1..OBJECT_SIZE_MAX; alignment is a power of two up to 256.
 * `name` must outlive the cache. EINVAL: bad size or alignment.
 */
MUST_CHECK int object_cache_init(struct object_cache *cache, const char *name, size_t object_size, size_t alignment,
                                 const struct object_cache_source *source);

/* Takes an object; its content is undefined. The caller owns it. NULL: the source has no page. */
MUST_CHECK void *object_cache_alloc(struct object_cache *cache) EXCLUDES(cache->lock);

/* The same with the object zeroed. */
MUST_CHECK void *object_cache_alloc_zeroed(struct object_cache *cache) EXCLUDES(cache->lock);

/* Gives an object back. `object` must point into memory that can be read. EINVAL: no object of this cache, or free
 * already. A failure changes nothing. */
MUST_CHECK int object_cache_free(struct object_cache *cache, void *object) EXCLUDES(cache->lock);

/* Gives all pages without used objects back to the source; returns how many. */
uint64_t object_cache_shrink(struct object_cache *cache) EXCLUDES(cache->lock);

/* Gives all pages back and ends the cache. EBUSY: objects are in use; nothing was changed. */
MUST_CHECK int object_cache_destroy(struct object_cache *cache) EXCLUDES(cache->lock);

struct object_cache_info {
    const char *name;
    uint32_t object_size, stride, capacity;
    uint64_t used;  /* objects */
    uint64_t pages; /* frames that the cache holds: what a leak test subtracts */
    uint64_t allocations, frees, failures;
};

/* A consistent copy of the figures. */
void object_cache_read_info(struct object_cache *cache, struct object_cache_info *info) EXCLUDES(cache->lock);

/* Walks all slabs. 0, or EIO (negative) if bitmaps, counts, lists or (checks of level 2) patterns are wrong. */
MUST_CHECK int object_cache_check(struct object_cache *cache) EXCLUDES(cache->lock);

#endif
