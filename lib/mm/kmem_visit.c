/* SPDX-License-Identifier: MIT */
/* Visiting the objects of a kmem cache that are in use. */
#include <string.h>

#include "kmem_internal.h"

/* Objects of the largest slab, if they are as small as they can be. */
#define OBJECTS_MAX (((uint64_t)PAGE_SIZE << KMEM_ORDER_MAX) / sizeof(void *))

struct visit {
    kmem_visitor *visitor;
    void *context;
};

static void visit_slab(struct kmem_cache *cache, const struct page *slab, const struct visit *visit)
    REQUIRES(cache->lock)
{
    uint64_t is_free[OBJECTS_MAX / 64] = {0};
    char *address = slab_address(cache, slab);

    for (void *object = slab_freelist(slab); object; object = kmem_link_get(cache, object)) {
        const uint64_t index = (uint64_t)((char *)object - address) / cache->size;
        is_free[index / 64] |= 1UL << index % 64;
    }
    for (uint32_t index = 0; index < slab_objects(cache, slab); index++) {
        if (!(is_free[index / 64] >> index % 64 & 1))
            visit->visitor(visit->context, cache, slab_object(cache, address, index));
    }
}

static void visit_list(struct kmem_cache *cache, const struct list *slabs, const struct visit *visit)
    REQUIRES(cache->lock)
{
    LIST_FOR_EACH (link, slabs)
        visit_slab(cache, slab_of_link(link), visit);
}

void kmem_cache_visit(struct kmem_cache *cache, kmem_visitor *visitor, void *context)
{
    const struct visit visit = {visitor, context};
    bool ok = true;

    if (cache_is_external(cache))
        return;
    spinlock_acquire(&cache->lock);
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++)
        ok = kmem_flush_list(cache, &cache->cpus[cpu]) && ok;
    visit_list(cache, &cache->partial, &visit);
    visit_list(cache, &cache->full, &visit);
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++) {
        const struct kmem_cache_cpu *local = &cache->cpus[cpu];
        visit_list(cache, &local->partial, &visit);
        if (local->slab)
            visit_slab(cache, local->slab, &visit);
    }
    spinlock_release(&cache->lock);
}
