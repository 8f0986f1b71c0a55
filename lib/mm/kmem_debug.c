/* SPDX-License-Identifier: MIT */
/*
 * Debugged caches: what surrounds objects and what free ones are filled with, tracks, and the looking at all of it.
 * Their free objects stay on their slabs' lists, whose walk tells if an object is free.
 */
#include "kmem_internal.h"

#define RED_FREE 0xbb /* in the red zones of free objects, and of those in use */
#define RED_USED 0xcc

enum track_kind { TRACK_ALLOC = 0, TRACK_FREE = 1 };

/* The red zone behind an object ends where the link or the next multiple of a word begins. */
static uint32_t red_right(const struct kmem_cache *cache)
{
    uint32_t end = (uint32_t)align_up(cache->object_size, sizeof(uint64_t));
    return (end == cache->object_size ? (uint32_t)sizeof(uint64_t) : end - cache->object_size);
}

static void fill_red(const struct kmem_cache *cache, char *object, int value)
{
    if (!(cache->flags & KMEM_RED_ZONE))
        return;
    memset(object - cache->red_left, value, cache->red_left);
    memset(object + cache->object_size, value, red_right(cache));
}

static void fill_free(const struct kmem_cache *cache, char *object)
{
    fill_red(cache, object, RED_FREE);
    if (cache->flags & KMEM_POISON) {
        memset(object, KMEM_FREE_BYTE, cache->object_size - 1);
        object[cache->object_size - 1] = (char)KMEM_FREE_END_BYTE;
    }
}

void kmem_debug_setup(const struct kmem_cache *cache, void *object)
{
    fill_free(cache, object);
    if (cache->flags & KMEM_STORE_USER)
        memset((char *)object + cache->track, 0, 2 * sizeof(struct kmem_track));
}

static void set_track(struct kmem_cache *cache, char *object, enum track_kind kind, unsigned cpu, uint64_t caller)
    REQUIRES(cache->lock)
{
    const struct kmem_track track = {.caller = caller, .sequence = ++cache->sequence, .cpu = cpu};
    if (cache->flags & KMEM_STORE_USER)
        memcpy(object + cache->track + kind * sizeof(track), &track, sizeof(track));
}

/* Reports the first of `size` bytes at object + offset that is not `value`, and sets all. True if there was none. */
static bool bytes_are(struct kmem_cache *cache, char *object, int64_t offset, uint32_t size, uint8_t value,
                      enum kmem_fault fault) REQUIRES(cache->lock)
{
    const uint8_t *bytes = (const uint8_t *)object + offset;
    for (uint32_t i = 0; i < size; i++) {
        if (bytes[i] == value)
            continue;
        kmem_report(cache, object, fault, offset + i, bytes[i]);
        memset(object + offset, value, size);
        return false;
    }
    return true;
}

static bool red_zones_intact(struct kmem_cache *cache, char *object, uint8_t value) REQUIRES(cache->lock)
{
    bool left = bytes_are(cache, object, -(int64_t)cache->red_left, cache->red_left, value, KMEM_RED_ZONE_HIT);
    bool right = bytes_are(cache, object, cache->object_size, red_right(cache), value, KMEM_RED_ZONE_HIT);
    return left && right;
}

static bool poison_intact(struct kmem_cache *cache, char *object) REQUIRES(cache->lock)
{
    uint32_t last = cache->object_size - 1;
    bool body = bytes_are(cache, object, 0, last, KMEM_FREE_BYTE, KMEM_USE_AFTER_FREE);
    bool end = bytes_are(cache, object, last, 1, KMEM_FREE_END_BYTE, KMEM_USE_AFTER_FREE);
    return body && end;
}

bool kmem_debug_check(struct kmem_cache *cache, void *object, bool is_free)
{
    bool intact = true;
    if (cache->flags & KMEM_RED_ZONE)
        intact = red_zones_intact(cache, object, is_free ? RED_FREE : RED_USED);
    if (is_free && (cache->flags & KMEM_POISON))
        intact = poison_intact(cache, object) && intact;
    return intact;
}

bool slab_lists(const struct kmem_cache *cache, const struct page *slab, const void *wanted)
{
    for (void *object = slab_freelist(slab); object; object = kmem_link_get(cache, object)) {
        if (object == wanted)
            return true;
    }
    return false;
}

/* Gives up what is behind `object` on the slab's list, or all of it for NULL: these objects are in use for good. */
static void cut_list(struct kmem_cache *cache, struct page *slab, void *object, uint32_t kept) REQUIRES(cache->lock)
{
    if (object)
        kmem_link_set(cache, object, NULL);
    else
        slab_set_freelist(slab, NULL);
    slab_set_inuse(slab, slab_objects(cache, slab) - kept);
    char *address = slab_address(cache, slab);
    for (uint32_t index = 0; index < slab_objects(cache, slab); index++) {
        char *other = slab_object(cache, address, index);
        if (!slab_lists(cache, slab, other))
            fill_red(cache, other, RED_USED);
    }
}

/* Walks the slab's list of free objects. True if `wanted` is on it; a broken link is reported and ends the list. */
static bool list_has(struct kmem_cache *cache, struct page *slab, const void *wanted) REQUIRES(cache->lock)
{
    uint32_t free_objects = slab_objects(cache, slab) - slab_inuse(slab);
    uint32_t count = 0;
    void *previous = NULL;

    for (void *object = slab_freelist(slab); object; object = kmem_link_get(cache, object)) {
        if (count == free_objects || !slab_has_object(cache, slab, object)) {
            kmem_report(cache, previous ? previous : slab_object(cache, slab_address(cache, slab), 0), KMEM_BAD_LINK,
                        cache->link, 0);
            cut_list(cache, slab, previous, count);
            return false;
        }
        if (object == wanted)
            return true;
        previous = object;
        count++;
    }
    return false;
}

/* The first free object of a slab that is on no list; NULL if its list was broken and nothing is left. */
static char *take_first(struct kmem_cache *cache, struct page *slab) REQUIRES(cache->lock)
{
    if (cache->flags & KMEM_CONSISTENCY)
        (void)list_has(cache, slab, NULL);
    char *object = slab_freelist(slab);
    if (!object)
        return NULL;
    slab_set_freelist(slab, kmem_link_get(cache, object));
    slab_set_inuse(slab, slab_inuse(slab) + 1);
    return object;
}

void *kmem_debug_alloc(struct kmem_cache *cache, unsigned cpu, uint64_t caller)
{
    char *object = NULL;
    while (!object) {
        struct page *slab = slab_get(cache);
        if (!slab)
            return NULL;
        object = take_first(cache, slab);
        slab_settle(cache, slab);
    }
    (void)kmem_debug_check(cache, object, true);
    set_track(cache, object, TRACK_ALLOC, cpu, caller);
    fill_red(cache, object, RED_USED);
    if (cache->flags & KMEM_POISON)
        memset(object, KMEM_FRESH_BYTE, cache->object_size);
    return object;
}

/* True if the object is one of the cache's, and in use as far as can be told. */
static bool may_be_freed(struct kmem_cache *cache, struct page *slab, void *object) REQUIRES(cache->lock)
{
    if (!slab || slab->owner != cache || !slab_has_object(cache, slab, object)) {
        kmem_report(cache, object, KMEM_BAD_POINTER, 0, 0);
        return false;
    }
    bool is_free = slab_inuse(slab) == 0 || slab_freelist(slab) == object ||
                   ((cache->flags & KMEM_CONSISTENCY) && list_has(cache, slab, object));
    if (is_free)
        kmem_report(cache, object, KMEM_DOUBLE_FREE, 0, 0);
    return !is_free;
}

void kmem_debug_free(struct kmem_cache *cache, unsigned cpu, void *object, uint64_t caller)
{
    struct page *slab = slab_find(cache->source, object);
    if (!may_be_freed(cache, slab, object))
        return;
    (void)kmem_debug_check(cache, object, false);
    set_track(cache, object, TRACK_FREE, cpu, caller);
    fill_free(cache, object);
    if (slab_state(slab) == SLAB_PARTIAL) {
        slab_unlist_partial(cache, slab);
    } else {
        list_remove(&slab->link);
        slab_set_state(slab, SLAB_ALONE);
    }
    slab_push(cache, slab, object);
    slab_settle(cache, slab);
}
