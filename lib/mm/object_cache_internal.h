/* SPDX-License-Identifier: MIT */
/* The layout of a slab: the page's head, then the objects. cache->lock is held in every call. */
#ifndef MM_OBJECT_CACHE_INTERNAL_H
#define MM_OBJECT_CACHE_INTERNAL_H

#include <base/bits.h>
#include <mm/object_cache.h>

#define SLAB_BITMAP_WORDS 4u

struct slab {
    struct list link;                         /* cache->partial or cache->full */
    struct object_cache *cache;               /* NULL once the page is given back */
    uint64_t used;                            /* objects */
    uint64_t free_objects[SLAB_BITMAP_WORDS]; /* bit set: free */
};
_Static_assert(sizeof(struct slab) == 64, "the head takes one cache line");
_Static_assert((PAGE_SIZE - sizeof(struct slab)) / OBJECT_SIZE_MIN == OBJECTS_PER_SLAB_MAX, "as the header says");
_Static_assert(OBJECTS_PER_SLAB_MAX <= SLAB_BITMAP_WORDS * 64, "the bitmap has a bit for each object");
_Static_assert(OBJECT_SIZE_MAX <= (PAGE_SIZE - sizeof(struct slab)) / 2, "two objects fit");

static inline uint8_t *slab_object(const struct object_cache *cache, struct slab *slab, uint32_t index)
{
    return (uint8_t *)slab + cache->first + (size_t)index * cache->stride;
}

static inline bool slab_object_is_free(const struct slab *slab, uint32_t index)
{
    return slab->free_objects[index / 64] >> (index % 64) & 1;
}

/* True if all `size` bytes have the value of free memory. */
bool object_pattern_intact(const uint8_t *bytes, size_t size);

#endif
