/* SPDX-License-Identifier: MIT */
/* The figures and the walker of kmem caches. */
#include <errno.h>

#include "kmem_internal.h"

static uint64_t list_free_objects(const struct kmem_cache *cache, const struct list *slabs) REQUIRES(cache->lock)
{
    uint64_t count = 0;
    LIST_FOR_EACH (link, slabs)
        count += slab_objects(cache, slab_of_link(link)) - slab_inuse(slab_of_link(link));
    return count;
}

void kmem_cache_read_info(struct kmem_cache *cache, struct kmem_cache_info *info)
{
    spinlock_acquire(&cache->lock);
    uint64_t free_objects = list_free_objects(cache, &cache->partial);
    *info = (struct kmem_cache_info){
        .name = cache->name,
        .object_size = cache->object_size,
        .size = cache->size,
        .objects_per_slab = cache->objects,
        .pages_per_slab = 1u << cache->order,
        .min_partial = cache->min_partial,
        .cpu_partial = cache->cpu_partial,
        .objects = cache->objects_total,
        .slabs = cache->slabs,
        .slabs_partial = cache->partial_count,
        .pages = cache->pages,
        .failures = cache->failures,
        .reports = cache->reports,
    };
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++) {
        const struct kmem_cache_cpu *local = &cache->cpus[cpu];
        free_objects += list_free_objects(cache, &local->partial);
        if (local->slab)
            free_objects += slab_objects(cache, local->slab) - slab_inuse(local->slab);
        info->slabs_cpu += local->partial_count + (local->slab ? 1 : 0);
        info->refills += local->refills;
    }
    info->used = cache->objects_total - free_objects;
    spinlock_release(&cache->lock);
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

/* What a walk over the slabs finds. */
struct census {
    uint64_t slabs, pages, objects;
};

/* The list of free objects of a slab, or the bitmap, holds exactly those that are not in use. */
static bool free_objects_ok(const struct kmem_cache *cache, const struct page *slab)
{
    uint32_t expected = slab_objects(cache, slab) - slab_inuse(slab);
    uint32_t count = 0;

    if (cache_is_external(cache))
        return !(slab->private_data & ~all_places(cache)) &&
               (uint32_t)__builtin_popcountll(slab->private_data) == slab_inuse(slab);
    for (void *object = slab_freelist(slab); object; object = kmem_link_get(cache, object)) {
        if (count++ == expected || !slab_has_object(cache, slab, object))
            return false;
    }
    return count == expected;
}

/* Every object of a debugged cache, used or free, and what surrounds it. */
static bool content_ok(struct kmem_cache *cache, const struct page *slab) REQUIRES(cache->lock)
{
    bool intact = true;
    if (cache_is_external(cache) || !(cache->flags & (KMEM_RED_ZONE | KMEM_POISON)))
        return true;
    char *address = slab_address(cache, slab);
    for (uint32_t index = 0; index < slab_objects(cache, slab); index++) {
        char *object = slab_object(cache, address, index);
        intact = kmem_debug_check(cache, object, slab_lists(cache, slab, object)) && intact;
    }
    return intact;
}

static bool slab_ok(struct kmem_cache *cache, const struct page *slab, enum slab_state state, struct census *census)
    REQUIRES(cache->lock)
{
    bool shape = slab->order == cache->order || slab->order == cache->order_min;
    if (!shape || slab->owner != cache || !(slab->flags & PAGE_CACHE) || slab_state(slab) != state)
        return false;
    for (uint64_t i = 1; i < 1UL << slab->order; i++) {
        if (slab[i].owner != slab)
            return false;
    }
    census->slabs++;
    census->pages += 1UL << slab->order;
    census->objects += slab_objects(cache, slab);
    return slab_inuse(slab) <= slab_objects(cache, slab) && free_objects_ok(cache, slab) && content_ok(cache, slab);
}

static bool list_ok(struct kmem_cache *cache, const struct list *head, enum slab_state state, struct census *census)
    REQUIRES(cache->lock)
{
    for (struct list *link = head->next; link != head; link = link->next) {
        if (link->next->previous != link || link->previous->next != link || census->slabs >= cache->slabs)
            return false;
        const struct page *slab = slab_of_link(link);
        if (!slab_ok(cache, slab, state, census))
            return false;
        bool full = slab_inuse(slab) == slab_objects(cache, slab);
        if (full != (state == SLAB_FULL))
            return false;
    }
    return true;
}

static bool cpu_ok(struct kmem_cache *cache, struct kmem_cache_cpu *local, struct census *census) REQUIRES(cache->lock)
{
    uint64_t before = census->slabs;
    if (!list_ok(cache, &local->partial, SLAB_CPU_PARTIAL, census) || census->slabs - before != local->partial_count)
        return false;
    if (local->partial_count > cache->cpu_partial)
        return false;
    if (!local->slab)
        return local->base == KMEM_NO_SLAB;
    uint64_t base = (uint64_t)slab_address(cache, local->slab) & cache->slab_mask;
    return local->base == base && slab_ok(cache, local->slab, SLAB_CPU, census);
}

static bool cache_ok(struct kmem_cache *cache) REQUIRES(cache->lock)
{
    struct census census = {0};
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++) {
        if (!kmem_flush_list(cache, &cache->cpus[cpu]))
            return false;
    }
    if (!list_ok(cache, &cache->partial, SLAB_PARTIAL, &census) || census.slabs != cache->partial_count)
        return false;
    if (!list_ok(cache, &cache->full, SLAB_FULL, &census))
        return false;
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++) {
        if (!cpu_ok(cache, &cache->cpus[cpu], &census))
            return false;
    }
    return census.slabs == cache->slabs && census.pages == cache->pages && census.objects == cache->objects_total;
}

int kmem_cache_check(struct kmem_cache *cache)
{
    spinlock_acquire(&cache->lock);
    uint64_t reports = cache->reports;
    bool ok = cache_ok(cache) && cache->reports == reports;
    spinlock_release(&cache->lock);
    return ok ? 0 : -EIO;
}
