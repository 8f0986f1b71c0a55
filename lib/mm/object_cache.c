/* SPDX-License-Identifier: MIT */
/* Object caches: allocation, free, and the slabs' way from and to their source. */
#include <errno.h>
#include <string.h>

#include "object_cache_internal.h"

#define ALIGNMENT_MAX 256u

int object_cache_init(struct object_cache *cache, const char *name, size_t object_size, size_t alignment,
                      const struct object_cache_source *source) NO_THREAD_SAFETY_ANALYSIS
{
    if (object_size == 0 || object_size > OBJECT_SIZE_MAX || !is_power_of_two(alignment) || alignment > ALIGNMENT_MAX)
        return -EINVAL;
    if (alignment < sizeof(uint64_t))
        alignment = sizeof(uint64_t);
    uint64_t stride = align_up(object_size < OBJECT_SIZE_MIN ? OBJECT_SIZE_MIN : object_size, alignment);
    memset(cache, 0, sizeof(*cache));
    spinlock_init(&cache->lock);
    list_init(&cache->partial);
    list_init(&cache->full);
    cache->name = name;
    cache->source = *source;
    cache->object_size = (uint32_t)object_size;
    cache->stride = (uint32_t)stride;
    cache->first = (uint32_t)align_up(sizeof(struct slab), alignment);
    cache->capacity = (uint32_t)((PAGE_SIZE - cache->first) / stride);
    return 0;
}

bool object_pattern_intact(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != OBJECT_FREE_BYTE)
            return false;
    }
    return true;
}

/* Takes a page from the source and makes it a slab of free objects, on no list. */
static struct slab *slab_create(struct object_cache *cache) REQUIRES(cache->lock)
{
    struct slab *slab = cache->source.get(cache->source.context);
    if (!slab)
        return NULL;
    ASSERT(is_aligned((uintptr_t)slab, PAGE_SIZE));
    memset(slab, 0, sizeof(*slab));
    list_init(&slab->link);
    slab->cache = cache;
    for (uint32_t i = 0; i < cache->capacity; i++)
        slab->free_objects[i / 64] |= 1UL << (i % 64);
    if (QUIRE_CHECKS >= 2)
        memset(slab_object(cache, slab, 0), OBJECT_FREE_BYTE, (size_t)cache->capacity * cache->stride);
    cache->slabs++;
    cache->empty_slabs++;
    return slab;
}

/* Gives a slab without used objects back to the source. */
static void slab_destroy(struct object_cache *cache, struct slab *slab) REQUIRES(cache->lock)
{
    ASSERT(slab->used == 0);
    list_remove(&slab->link);
    slab->cache = NULL;
    cache->slabs--;
    cache->empty_slabs--;
    cache->source.put(cache->source.context, slab);
}

/* Takes the first free object of a slab that has one. */
static uint8_t *slab_take(struct object_cache *cache, struct slab *slab) REQUIRES(cache->lock)
{
    uint32_t word = 0;
    while (slab->free_objects[word] == 0)
        word++;
    uint32_t bit = lowest_bit(slab->free_objects[word]);
    slab->free_objects[word] &= slab->free_objects[word] - 1;
    if (slab->used++ == 0)
        cache->empty_slabs--;
    if (slab->used == cache->capacity) {
        list_remove(&slab->link);
        list_push_front(&cache->full, &slab->link);
    }
    return slab_object(cache, slab, word * 64 + bit);
}

static void *alloc_locked(struct object_cache *cache) REQUIRES(cache->lock)
{
    struct list *first = list_first(&cache->partial);
    struct slab *slab = first ? CONTAINER_OF(first, struct slab, link) : slab_create(cache);
    if (!slab) {
        cache->failures++;
        return NULL;
    }
    if (!first)
        list_push_front(&cache->partial, &slab->link);
    uint8_t *object = slab_take(cache, slab);
    cache->used++;
    cache->allocations++;
    CHECK(object_pattern_intact(object, cache->stride));
    if (QUIRE_CHECKS >= 2)
        memset(object, OBJECT_FRESH_BYTE, cache->object_size);
    return object;
}

void *object_cache_alloc(struct object_cache *cache)
{
    spinlock_acquire(&cache->lock);
    void *object = alloc_locked(cache);
    spinlock_release(&cache->lock);
    return object;
}

void *object_cache_alloc_zeroed(struct object_cache *cache)
{
    void *object = object_cache_alloc(cache);
    if (object)
        memset(object, 0, cache->object_size);
    return object;
}

/* Puts the slab where it belongs after one of its objects was freed. */
static void slab_settle(struct object_cache *cache, struct slab *slab) REQUIRES(cache->lock)
{
    if (slab->used == 0) {
        cache->empty_slabs++;
        if (cache->empty_slabs > 1) {
            slab_destroy(cache, slab);
            return;
        }
        /* Last in the list: objects come from slabs that are in use anyway, as long as there are any. */
        list_remove(&slab->link);
        list_push_back(&cache->partial, &slab->link);
    } else if (slab->used == cache->capacity - 1) {
        list_remove(&slab->link);
        list_push_front(&cache->partial, &slab->link);
    }
}

static int free_locked(struct object_cache *cache, uint8_t *object) REQUIRES(cache->lock)
{
    uint64_t offset = (uintptr_t)object % PAGE_SIZE;
    struct slab *slab = (struct slab *)(void *)(object - offset);
    if (offset < cache->first || (offset - cache->first) % cache->stride != 0 || slab->cache != cache)
        return -EINVAL;
    uint64_t index = (offset - cache->first) / cache->stride;
    if (index >= cache->capacity || slab_object_is_free(slab, (uint32_t)index))
        return -EINVAL;
    CHECK(object_pattern_intact(object + cache->object_size, cache->stride - cache->object_size));
    if (QUIRE_CHECKS >= 2)
        memset(object, OBJECT_FREE_BYTE, cache->object_size);
    slab->free_objects[index / 64] |= 1UL << (index % 64);
    slab->used--;
    cache->used--;
    cache->frees++;
    slab_settle(cache, slab);
    return 0;
}

int object_cache_free(struct object_cache *cache, void *object)
{
    if (!object)
        return -EINVAL;
    spinlock_acquire(&cache->lock);
    int error = free_locked(cache, object);
    spinlock_release(&cache->lock);
    return error;
}

static uint64_t shrink_locked(struct object_cache *cache) REQUIRES(cache->lock)
{
    uint64_t given = 0;
    LIST_FOR_EACH_SAFE(link, &cache->partial)
    {
        struct slab *slab = CONTAINER_OF(link, struct slab, link);
        if (slab->used == 0) {
            slab_destroy(cache, slab);
            given++;
        }
    }
    return given;
}

uint64_t object_cache_shrink(struct object_cache *cache)
{
    spinlock_acquire(&cache->lock);
    uint64_t given = shrink_locked(cache);
    spinlock_release(&cache->lock);
    return given;
}

int object_cache_destroy(struct object_cache *cache)
{
    int error = -EBUSY;
    spinlock_acquire(&cache->lock);
    if (cache->used == 0) {
        shrink_locked(cache);
        error = 0;
    }
    spinlock_release(&cache->lock);
    return error;
}

void object_cache_read_info(struct object_cache *cache, struct object_cache_info *info)
{
    spinlock_acquire(&cache->lock);
    *info = (struct object_cache_info){
        .name = cache->name,
        .object_size = cache->object_size,
        .stride = cache->stride,
        .capacity = cache->capacity,
        .used = cache->used,
        .pages = cache->slabs,
        .allocations = cache->allocations,
        .frees = cache->frees,
        .failures = cache->failures,
    };
    spinlock_release(&cache->lock);
}
