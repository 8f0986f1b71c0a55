/* SPDX-License-Identifier: MIT */
/* Allocations and frees that do not end at a CPU's list, taking the lists away, and external caches. */
#include <errno.h>

#include "kmem_internal.h"

void kmem_report(struct kmem_cache *cache, const void *object, enum kmem_fault fault, int64_t offset, uint8_t value)
{
    struct kmem_report report = {
        .cache = cache->name, .object = object, .fault = fault, .offset = offset, .value = value};
    if ((cache->flags & KMEM_STORE_USER) && fault != KMEM_BAD_POINTER) {
        memcpy(&report.allocated, (const char *)object + cache->track, sizeof(report.allocated));
        memcpy(&report.freed, (const char *)object + cache->track + sizeof(report.allocated), sizeof(report.freed));
    }
    cache->reports++;
    if (cache->report)
        cache->report(&report);
}

/* --- Allocating --------------------------------------------------------------------------------------------------- */

/* Makes the CPU's active slab an ordinary one. What it has taken from it stays on its list, as used. */
static void deactivate(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    struct page *slab = local->slab;
    if (!slab)
        return;
    local->slab = NULL;
    __atomic_store_n(&local->base, KMEM_NO_SLAB, __ATOMIC_RELAXED);
    slab_set_state(slab, SLAB_ALONE);
    slab_settle(cache, slab);
}

/* Lets the CPU keep some more of the cache's partial slabs, so that it comes back less often. */
static void take_some_partial(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    while (local->partial_count < cache->cpu_partial / 2 && cache->partial_count > cache->min_partial) {
        struct page *slab = slab_of_link(list_first(&cache->partial));
        if (slab_inuse(slab) == 0)
            return;
        slab_unlist_partial(cache, slab);
        slab_set_state(slab, SLAB_CPU_PARTIAL);
        list_push_back(&local->partial, &slab->link);
        local->partial_count++;
    }
}

/* A slab with free objects, on no list: the CPU's own, the cache's, or a new one. */
static struct page *next_slab(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    struct list *first = list_pop_front(&local->partial);
    if (first) {
        local->partial_count--;
        return slab_of_link(first);
    }
    struct page *slab = slab_get(cache);
    take_some_partial(cache, local);
    return slab;
}

/* Takes all free objects of the slab, which has some, for the CPU; returns the first. */
static void *activate(struct kmem_cache *cache, struct kmem_cache_cpu *local, struct page *slab) REQUIRES(cache->lock)
{
    void *object = slab_freelist(slab);
    slab_set_freelist(slab, NULL);
    slab_set_inuse(slab, slab_objects(cache, slab));
    slab_set_state(slab, SLAB_CPU);
    local->slab = slab;
    __atomic_store_n(&local->base, (uint64_t)slab_address(cache, slab) & cache->slab_mask, __ATOMIC_RELAXED);
    __atomic_store_n(&local->freelist, kmem_link_get(cache, object), __ATOMIC_RELEASE);
    return object;
}

/* The CPU's list is empty: fills it again. */
static void *refill(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    struct page *slab = local->slab;
    local->refills++;
    if (slab && slab_freelist(slab)) /* others have freed objects of it */
        return activate(cache, local, slab);
    deactivate(cache, local);
    slab = next_slab(cache, local);
    return slab ? activate(cache, local, slab) : NULL;
}

void *kmem_cache_alloc_slow(struct kmem_cache *cache, unsigned cpu)
{
    const uint64_t caller = (uint64_t)__builtin_return_address(0);

    ASSERT(cpu < KMEM_CPUS_MAX && !cache_is_external(cache));
    spinlock_acquire(&cache->lock);
    void *object = cache->flags & KMEM_DEBUG ? kmem_debug_alloc(cache, cpu, caller) : refill(cache, &cache->cpus[cpu]);
    if (!object)
        cache->failures++;
    spinlock_release(&cache->lock);
    return object;
}

/* --- Freeing ------------------------------------------------------------------------------------------------------ */

/* Takes all partial slabs away from a CPU. */
static void drop_partial(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    for (struct list *link = list_pop_front(&local->partial); link; link = list_pop_front(&local->partial)) {
        struct page *slab = slab_of_link(link);
        slab_set_state(slab, SLAB_ALONE);
        slab_settle(cache, slab);
    }
    local->partial_count = 0;
}

/* A slab that was full has a free object now: it becomes one of the CPU's partial slabs, if it may have any. */
static void keep_partial(struct kmem_cache *cache, struct kmem_cache_cpu *local, struct page *slab)
    REQUIRES(cache->lock)
{
    if (cache->cpu_partial == 0) {
        slab_settle(cache, slab);
        return;
    }
    if (local->partial_count >= cache->cpu_partial)
        drop_partial(cache, local);
    slab_set_state(slab, SLAB_CPU_PARTIAL);
    list_push_front(&local->partial, &slab->link);
    local->partial_count++;
}

/* Gives an object back to its slab, and the slab where it belongs now. */
static void give_back(struct kmem_cache *cache, struct kmem_cache_cpu *local, struct page *slab, void *object)
    REQUIRES(cache->lock)
{
    slab_push(cache, slab, object);
    if (slab_state(slab) == SLAB_FULL) {
        list_remove(&slab->link);
        slab_set_state(slab, SLAB_ALONE);
        keep_partial(cache, local, slab);
    } else if (slab_state(slab) == SLAB_PARTIAL && slab_inuse(slab) == 0) {
        slab_unlist_partial(cache, slab);
        slab_settle(cache, slab);
    }
}

static void free_locked(struct kmem_cache *cache, struct kmem_cache_cpu *local, void *object) REQUIRES(cache->lock)
{
    struct page *slab = slab_find(cache->source, object);
    if (!slab || slab->owner != cache || !slab_has_object(cache, slab, object))
        kmem_report(cache, object, KMEM_BAD_POINTER, 0, 0);
    else if (slab_freelist(slab) == object || slab_inuse(slab) == 0)
        kmem_report(cache, object, KMEM_DOUBLE_FREE, 0, 0);
    else
        give_back(cache, local, slab, object);
}

void kmem_cache_free_slow(struct kmem_cache *cache, unsigned cpu, void *object)
{
    const uint64_t caller = (uint64_t)__builtin_return_address(0);

    ASSERT(cpu < KMEM_CPUS_MAX && !cache_is_external(cache));
    spinlock_acquire(&cache->lock);
    if (cache->flags & KMEM_DEBUG)
        kmem_debug_free(cache, cpu, object, caller);
    else
        free_locked(cache, &cache->cpus[cpu], object);
    spinlock_release(&cache->lock);
}

void kmem_cache_free_twice(struct kmem_cache *cache, void *object)
{
    spinlock_acquire(&cache->lock);
    kmem_report(cache, object, KMEM_DOUBLE_FREE, 0, 0);
    spinlock_release(&cache->lock);
}

/* --- External caches ---------------------------------------------------------------------------------------------- */

int kmem_place_alloc(struct kmem_cache *cache, struct kmem_place *place)
{
    ASSERT(cache_is_external(cache));
    spinlock_acquire(&cache->lock);
    struct page *slab = slab_get(cache);
    if (!slab) {
        cache->failures++;
        spinlock_release(&cache->lock);
        return -ENOMEM;
    }
    place->page = slab;
    place->index = lowest_bit(~slab->private_data);
    slab->private_data |= 1UL << place->index;
    slab_set_inuse(slab, slab_inuse(slab) + 1);
    slab_settle(cache, slab);
    spinlock_release(&cache->lock);
    return 0;
}

void kmem_place_free(struct kmem_cache *cache, struct kmem_place place)
{
    struct page *slab = place.page;

    ASSERT(cache_is_external(cache));
    spinlock_acquire(&cache->lock);
    if (slab->owner != cache || !(slab->flags & PAGE_CACHE) || place.index >= cache->objects) {
        kmem_report(cache, slab, KMEM_BAD_POINTER, place.index, 0);
    } else if (!(slab->private_data >> place.index & 1)) {
        kmem_report(cache, slab, KMEM_DOUBLE_FREE, place.index, 0);
    } else {
        slab->private_data &= ~(1UL << place.index);
        slab_set_inuse(slab, slab_inuse(slab) - 1);
        if (slab_state(slab) == SLAB_PARTIAL)
            slab_unlist_partial(cache, slab);
        list_remove(&slab->link);
        slab_set_state(slab, SLAB_ALONE);
        slab_settle(cache, slab);
    }
    spinlock_release(&cache->lock);
}

/* --- Taking back -------------------------------------------------------------------------------------------------- */

bool kmem_flush_list(struct kmem_cache *cache, struct kmem_cache_cpu *local)
{
    void *object = __atomic_exchange_n(&local->freelist, NULL, __ATOMIC_ACQUIRE);
    for (uint64_t count = 0; object; count++) {
        void *next = kmem_link_get(cache, object);
        struct page *slab = slab_find(cache->source, object);
        if (count >= cache->objects_total || !slab || slab->owner != cache || !slab_has_object(cache, slab, object) ||
            slab_inuse(slab) == 0)
            return false;
        give_back(cache, local, slab, object);
        object = next;
    }
    return true;
}

/* Takes away all that a CPU keeps. */
static void flush_cpu(struct kmem_cache *cache, struct kmem_cache_cpu *local) REQUIRES(cache->lock)
{
    bool sound = kmem_flush_list(cache, local);
    ASSERT(sound);
    (void)sound;
    deactivate(cache, local);
    drop_partial(cache, local);
}

#define SHRINK_BUCKETS 32u

/* Gives empty slabs back and sorts the others: those with the fewest free objects first, as far as that is known. */
static void shrink_partial(struct kmem_cache *cache) REQUIRES(cache->lock)
{
    struct list buckets[SHRINK_BUCKETS];

    for (unsigned i = 0; i < SHRINK_BUCKETS; i++)
        list_init(&buckets[i]);
    LIST_FOR_EACH_SAFE(link, &cache->partial)
    {
        struct page *slab = slab_of_link(link);
        uint32_t free_objects = slab_objects(cache, slab) - slab_inuse(slab);
        if (slab_inuse(slab) == 0) {
            slab_unlist_partial(cache, slab);
            slab_discard(cache, slab);
        } else if (free_objects <= SHRINK_BUCKETS) {
            list_remove(&slab->link);
            list_push_back(&buckets[free_objects - 1], &slab->link);
        }
    }
    for (unsigned i = SHRINK_BUCKETS; i > 0; i--) {
        for (struct list *link = list_pop_front(&buckets[i - 1]); link; link = list_pop_front(&buckets[i - 1]))
            list_push_front(&cache->partial, link);
    }
}

static void shrink_locked(struct kmem_cache *cache) REQUIRES(cache->lock)
{
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++)
        flush_cpu(cache, &cache->cpus[cpu]);
    shrink_partial(cache);
}

uint64_t kmem_cache_shrink(struct kmem_cache *cache)
{
    spinlock_acquire(&cache->lock);
    uint64_t pages = cache->pages;
    shrink_locked(cache);
    pages -= cache->pages;
    spinlock_release(&cache->lock);
    return pages;
}

int kmem_cache_destroy(struct kmem_cache *cache)
{
    spinlock_acquire(&cache->lock);
    shrink_locked(cache);
    int error = cache->slabs ? -EBUSY : 0;
    spinlock_release(&cache->lock);
    return error;
}
