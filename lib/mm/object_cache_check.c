/* SPDX-License-Identifier: MIT */
/* The walker of object caches. */
#include <errno.h>

#include "object_cache_internal.h"

/* What a walk over the slabs finds. */
struct census {
    uint64_t slabs, empty, used;
};

/* Checks a slab's bitmap, counts and, at level 2, what its free objects hold. */
static bool slab_ok(const struct object_cache *cache, struct slab *slab)
{
    uint64_t free_objects = 0;
    for (uint32_t index = 0; index < SLAB_BITMAP_WORDS * 64; index++) {
        if (!slab_object_is_free(slab, index))
            continue;
        if (index >= cache->capacity)
            return false;
        if (QUIRE_CHECKS >= 2 && !object_pattern_intact(slab_object(cache, slab, index), cache->stride))
            return false;
        free_objects++;
    }
    return slab->cache == cache && slab->used == cache->capacity - free_objects;
}

static bool list_ok(struct object_cache *cache, const struct list *head, bool full, struct census *census)
    REQUIRES(cache->lock)
{
    for (struct list *link = head->next; link != head; link = link->next) {
        if (link->next->previous != link || link->previous->next != link || ++census->slabs > cache->slabs)
            return false;
        struct slab *slab = CONTAINER_OF(link, struct slab, link);
        if (!slab_ok(cache, slab) || (slab->used == cache->capacity) != full)
            return false;
        census->used += slab->used;
        census->empty += slab->used == 0 ? 1 : 0;
    }
    return true;
}

int object_cache_check(struct object_cache *cache)
{
    struct census census = {0};
    spinlock_acquire(&cache->lock);
    bool ok = list_ok(cache, &cache->partial, false, &census) && list_ok(cache, &cache->full, true, &census) &&
              census.slabs == cache->slabs && census.used == cache->used && census.empty == cache->empty_slabs &&
              cache->empty_slabs <= 1 && cache->allocations - cache->frees == cache->used;
    spinlock_release(&cache->lock);
    return ok ? 0 : -EIO;
}
