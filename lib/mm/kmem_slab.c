/* SPDX-License-Identifier: MIT */
/* Slabs: how a cache's objects lie in them, and their way from and to the source. */
#include <errno.h>

#include "kmem_internal.h"

#define WORD        ((uint32_t)sizeof(uint64_t))
#define OBJECTS_FEW 4u /* a slab should hold at least that many */

static uint32_t objects_in(const struct kmem_cache *cache, unsigned order)
{
    return (uint32_t)(PAGE_SIZE << order) / cache->size;
}

/* The smallest order that wastes at most one part in 16, else in 8, else in 4; if there is none, the largest. */
static void choose_order(struct kmem_cache *cache)
{
    unsigned order = 0;
    while (objects_in(cache, order) == 0)
        order++;
    cache->order_min = (uint8_t)order;
    cache->order = KMEM_ORDER_MAX;
    for (uint32_t part = 16; part >= 4; part /= 2) {
        for (order = cache->order_min; order <= KMEM_ORDER_MAX; order++) {
            uint32_t bytes = (uint32_t)PAGE_SIZE << order;
            if (objects_in(cache, order) >= OBJECTS_FEW && bytes % cache->size <= bytes / part) {
                cache->order = (uint8_t)order;
                return;
            }
        }
    }
}

/* An object and what surrounds it: red zone, object, red zone, link, tracks, all of it to a multiple of `align`. */
static void choose_layout(struct kmem_cache *cache, const struct kmem_cache_args *args, uint32_t align)
{
    uint32_t size = (uint32_t)align_up(args->size, WORD);
    bool red = cache->flags & KMEM_RED_ZONE;

    if (red && size == args->size)
        size += WORD;
    cache->link = (uint32_t)align_down(args->size / 2, WORD);
    /* Free objects must keep their content, or have no room for a link. */
    if ((cache->flags & KMEM_POISON) || args->constructor || (red && args->size < WORD)) {
        cache->link = size;
        size += WORD;
    }
    cache->track = size;
    if (cache->flags & KMEM_STORE_USER)
        size += 2 * (uint32_t)sizeof(struct kmem_track);
    cache->red_left = red ? align : 0;
    cache->object_size = args->size;
    cache->size = (uint32_t)align_up(size + cache->red_left, align);
}

static bool args_usable(const struct kmem_cache_args *args, uint32_t align)
{
    const uint32_t known = KMEM_DEBUG | KMEM_EXTERNAL;
    if ((args->flags & ~known) || !is_power_of_two(align) || align > PAGE_SIZE)
        return false;
    if (args->flags & KMEM_EXTERNAL)
        return args->external > 0 && args->external <= KMEM_EXTERNAL_MAX && !args->constructor;
    return args->size > 0 && args->size <= KMEM_SIZE_MAX;
}

static void choose_shape(struct kmem_cache *cache, const struct kmem_cache_args *args, uint32_t align)
{
    cache->flags = args->constructor ? args->flags & ~KMEM_POISON : args->flags;
    if (cache_is_external(cache)) {
        cache->flags = KMEM_EXTERNAL; /* there is nothing else to debug: each free is looked up anyway */
        cache->object_size = cache->size = (uint32_t)PAGE_SIZE / args->external;
        cache->objects = cache->objects_min = args->external;
        return;
    }
    choose_layout(cache, args, align);
    choose_order(cache);
    cache->objects = objects_in(cache, cache->order);
    cache->objects_min = objects_in(cache, cache->order_min);
}

int kmem_cache_init(struct kmem_cache *cache, const struct kmem_cache_args *args) NO_THREAD_SAFETY_ANALYSIS
{
    uint32_t align = args->align < WORD ? WORD : args->align;
    if (!args_usable(args, align))
        return -EINVAL;
    memset(cache, 0, sizeof(*cache));
    choose_shape(cache, args, align);
    cache->align = align;
    cache->slab_mask = ~((PAGE_SIZE << cache->order) - 1);
    cache->secret = args->secret;
    cache->name = args->name;
    cache->min_partial = args->min_partial;
    cache->cpu_partial = (cache->flags & (KMEM_DEBUG | KMEM_EXTERNAL)) ? 0 : args->cpu_partial;
    cache->constructor = args->constructor;
    cache->source = args->source;
    cache->report = args->report;
    for (unsigned cpu = 0; cpu < KMEM_CPUS_MAX; cpu++) {
        cache->cpus[cpu].base = KMEM_NO_SLAB;
        list_init(&cache->cpus[cpu].partial);
    }
    spinlock_init(&cache->lock, LOCK_CACHE);
    list_init(&cache->partial);
    list_init(&cache->full);
    return 0;
}

/* --- Finding ------------------------------------------------------------------------------------------------------ */

/* The first descriptor of the block that `page` is in, if that is a slab. What the owner of another page says is
 * looked at only if it is a descriptor near by. */
static struct page *slab_head(struct page *page)
{
    struct page *head = page;
    if (!(page->flags & PAGE_STATE)) {
        head = page->owner;
        uint64_t distance = ((uint64_t)page - (uint64_t)head) / sizeof(*page);
        if ((uint64_t)head > (uint64_t)page || distance >= 1UL << KMEM_ORDER_MAX || &head[distance] != page)
            return NULL;
    }
    bool slab = (head->flags & (PAGE_STATE | PAGE_CACHE)) == (PAGE_ALLOCATED | PAGE_CACHE);
    return slab && (uint64_t)(page - head) < 1UL << head->order ? head : NULL;
}

struct page *slab_find(const struct page_source *source, const void *address)
{
    struct page *page = source->find(source->context, address);
    return page ? slab_head(page) : NULL;
}

bool slab_has_object(const struct kmem_cache *cache, const struct page *slab, const void *object)
{
    uint64_t offset = (uint64_t)object - (uint64_t)slab_address(cache, slab) - cache->red_left;
    return offset < PAGE_SIZE << slab->order && offset % cache->size == 0 &&
           offset / cache->size < slab_objects(cache, slab);
}

struct kmem_cache *kmem_cache_of(const struct page_source *source, const void *object)
{
    struct page *slab = slab_find(source, object);
    return slab ? slab->owner : NULL;
}

/* --- Coming and going --------------------------------------------------------------------------------------------- */

/* Strings all objects of a new slab together, the first in front. */
static void make_objects(struct kmem_cache *cache, struct page *slab) REQUIRES(cache->lock)
{
    char *address = slab_address(cache, slab);
    const void *next = NULL;

    ASSERT(is_aligned((uint64_t)address, PAGE_SIZE << slab->order));
    for (uint32_t index = slab_objects(cache, slab); index > 0; index--) {
        char *object = slab_object(cache, address, index - 1);
        if (cache->flags & KMEM_DEBUG)
            kmem_debug_setup(cache, object);
        if (cache->constructor)
            cache->constructor(object);
        kmem_link_set(cache, object, next);
        next = object;
    }
    slab_set_freelist(slab, next);
}

struct page *slab_create(struct kmem_cache *cache)
{
    const struct page_source *source = cache->source;
    struct page *slab = source->get(source->context, cache->order);

    if (!slab && cache->order != cache->order_min)
        slab = source->get(source->context, cache->order_min);
    if (!slab)
        return NULL;
    slab->flags |= PAGE_CACHE;
    slab->owner = cache;
    slab->index = 0;
    slab->private_data = 0;
    list_init(&slab->link);
    for (uint64_t i = 1; i < 1UL << slab->order; i++)
        slab[i].owner = slab;
    if (!cache_is_external(cache))
        make_objects(cache, slab);
    cache->slabs++;
    cache->pages += 1UL << slab->order;
    cache->objects_total += slab_objects(cache, slab);
    return slab;
}

void slab_discard(struct kmem_cache *cache, struct page *slab)
{
    ASSERT(slab_inuse(slab) == 0 && slab_state(slab) == SLAB_ALONE);
    cache->slabs--;
    cache->pages -= 1UL << slab->order;
    cache->objects_total -= slab_objects(cache, slab);
    for (uint64_t i = 0; i < 1UL << slab->order; i++)
        slab[i].owner = NULL;
    slab->flags &= ~PAGE_CACHE;
    cache->source->put(cache->source->context, slab, slab->order);
}

void slab_settle(struct kmem_cache *cache, struct page *slab)
{
    ASSERT(slab_state(slab) == SLAB_ALONE);
    if (slab_inuse(slab) == slab_objects(cache, slab)) {
        slab_set_state(slab, SLAB_FULL);
        list_push_front(&cache->full, &slab->link);
    } else if (slab_inuse(slab) == 0 && cache->partial_count >= cache->min_partial) {
        slab_discard(cache, slab);
    } else {
        slab_set_state(slab, SLAB_PARTIAL);
        cache->partial_count++;
        /* Empty ones last: objects come from slabs that are in use anyway, as long as there are any. */
        if (slab_inuse(slab) == 0)
            list_push_back(&cache->partial, &slab->link);
        else
            list_push_front(&cache->partial, &slab->link);
    }
}

void slab_unlist_partial(struct kmem_cache *cache, struct page *slab)
{
    ASSERT(slab_state(slab) == SLAB_PARTIAL);
    list_remove(&slab->link);
    cache->partial_count--;
    slab_set_state(slab, SLAB_ALONE);
}

struct page *slab_get(struct kmem_cache *cache)
{
    struct list *first = list_first(&cache->partial);
    if (!first)
        return slab_create(cache);
    struct page *slab = slab_of_link(first);
    slab_unlist_partial(cache, slab);
    return slab;
}

void slab_push(struct kmem_cache *cache, struct page *slab, void *object)
{
    ASSERT(slab_inuse(slab) > 0);
    kmem_link_set(cache, object, slab_freelist(slab));
    slab_set_freelist(slab, object);
    slab_set_inuse(slab, slab_inuse(slab) - 1);
}
