/* SPDX-License-Identifier: MIT */
/*
 * What the files of kmem caches share. A slab's first descriptor holds: owner, the cache; index, the objects in use and
 * where the slab is; private_data, its free objects, as a list or a bitmap; link. Its other descriptors have the first
 * one as their owner. cache->lock is held wherever a slab is changed.
 */
#ifndef MM_KMEM_INTERNAL_H
#define MM_KMEM_INTERNAL_H

#include <base/bits.h>
#include <mm/kmem_cache.h>

enum slab_state {
    SLAB_ALONE,       /* on no list: between two others */
    SLAB_PARTIAL,     /* on cache->partial */
    SLAB_FULL,        /* on cache->full */
    SLAB_CPU,         /* a CPU's active one: on no list, its free objects are the CPU's */
    SLAB_CPU_PARTIAL, /* on a CPU's list */
};

#define SLAB_INUSE_BITS 32u

static inline struct page *slab_of_link(struct list *link)
{
    return CONTAINER_OF(link, struct page, link);
}

static inline uint32_t slab_inuse(const struct page *slab)
{
    return (uint32_t)slab->index;
}

static inline void slab_set_inuse(struct page *slab, uint32_t inuse)
{
    slab->index = (slab->index & ~(uint64_t)UINT32_MAX) | inuse;
}

static inline enum slab_state slab_state(const struct page *slab)
{
    return (enum slab_state)(slab->index >> SLAB_INUSE_BITS);
}

static inline void slab_set_state(struct page *slab, enum slab_state state)
{
    slab->index = (uint64_t)state << SLAB_INUSE_BITS | (uint32_t)slab->index;
}

static inline void *slab_freelist(const struct page *slab)
{
    return (void *)slab->private_data;
}

static inline void slab_set_freelist(struct page *slab, const void *object)
{
    slab->private_data = (uint64_t)object;
}

static inline uint32_t slab_objects(const struct kmem_cache *cache, const struct page *slab)
{
    return slab->order == cache->order ? cache->objects : cache->objects_min;
}

static inline char *slab_address(const struct kmem_cache *cache, const struct page *slab)
{
    return cache->source->address(cache->source->context, slab);
}

static inline char *slab_object(const struct kmem_cache *cache, char *address, uint32_t index)
{
    return address + (size_t)index * cache->size + cache->red_left;
}

static inline bool cache_is_external(const struct kmem_cache *cache)
{
    return cache->flags & KMEM_EXTERNAL;
}

/* All places of an external cache's page, as a bitmap. */
static inline uint64_t all_places(const struct kmem_cache *cache)
{
    return cache->objects == KMEM_EXTERNAL_MAX ? UINT64_MAX : (1UL << cache->objects) - 1;
}

/* The slab that an address of `source` lies in, whatever cache's; NULL if it is none. */
struct page *slab_find(const struct page_source *source, const void *address);

/* True if one of the slab's objects begins there. */
bool slab_has_object(const struct kmem_cache *cache, const struct page *slab, const void *object);

/* Takes a block from the source and makes it a slab of free objects, on no list. NULL: there is none. */
struct page *slab_create(struct kmem_cache *cache) REQUIRES(cache->lock);

/* Gives a slab that is on no list and has no object in use back to the source. */
void slab_discard(struct kmem_cache *cache, struct page *slab) REQUIRES(cache->lock);

/* Puts a slab that is on no list where its objects in use say; gives it back if it has none and enough others are
 * there. */
void slab_settle(struct kmem_cache *cache, struct page *slab) REQUIRES(cache->lock);

/* Takes a slab off cache->partial. */
void slab_unlist_partial(struct kmem_cache *cache, struct page *slab) REQUIRES(cache->lock);

/* The first partial slab, now on no list, or a new one. NULL: the source has no block. */
struct page *slab_get(struct kmem_cache *cache) REQUIRES(cache->lock);

/* Puts an object on its slab's list of free objects. */
void slab_push(struct kmem_cache *cache, struct page *slab, void *object) REQUIRES(cache->lock);

/*
 * Gives the objects on a CPU's list back to their slabs. The CPU may be in the middle of an allocation or a free: then
 * its list is seen empty, and what it puts there afterwards stays. False if the list holds what is no used object of
 * the cache; what it led to is lost.
 */
bool kmem_flush_list(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock);

/* Tells of a fault. */
void kmem_report(struct kmem_cache *cache, const void *object, enum kmem_fault fault, int64_t offset, uint8_t value)
    REQUIRES(cache->lock);

/* True if the slab's list, which is sound, has the object. */
bool slab_lists(const struct kmem_cache *cache, const struct page *slab, const void *object);

/* --- Debugged caches ---------------------------------------------------------------------------------------------- */

/* Fills what surrounds a new, free object, and the object. */
void kmem_debug_setup(const struct kmem_cache *cache, void *object);

/* The whole of an allocation and a free; `caller` goes into the object's tracks. */
void *kmem_debug_alloc(struct kmem_cache *cache, unsigned cpu, uint64_t caller) REQUIRES(cache->lock);
void kmem_debug_free(struct kmem_cache *cache, unsigned cpu, void *object, uint64_t caller) REQUIRES(cache->lock);

/* Looks at an object's surroundings, and at itself if it is free; reports and puts right. True if nothing was wrong. */
bool kmem_debug_check(struct kmem_cache *cache, void *object, bool is_free) REQUIRES(cache->lock);

#endif
