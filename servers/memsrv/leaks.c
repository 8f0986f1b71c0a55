/* SPDX-License-Identifier: MIT */
/*
 * The leak scan: which of memsrv's own objects nothing points to any more. All workers stand still between two messages
 * meanwhile, so none has an object in its registers or on its stack alone: stacks, where addresses stay long after their
 * use, are not scanned, nor are the rings of trace events.
 */
#include <errno.h>

#include <mm/leak_scan.h>
#include <proto/memsrv_dispatch.h>

#include "caches.h"
#include "drain.h"
#include "memory.h"
#include "own_memory.h"

/* Objects that may come while the table is made. */
#define SPARE_OBJECTS 512u

/* Variables of the program, from the linker. */
extern char __init_array_end[], _end[];

struct collection {
    struct leak_object *objects;
    uint32_t count, capacity;
};

static void collect(void *context, const struct kmem_cache *cache, void *object)
{
    struct collection *collection = context;

    if (collection->count < collection->capacity)
        collection->objects[collection->count++] =
            (struct leak_object){.start = (uint64_t)object, .size = cache->object_size, .owner = cache};
}

static uint64_t used_objects(void)
{
    const struct kmem_cache *cache;
    struct kmem_cache_info info;
    uint64_t used = 0;

    for (uint64_t index = 0; (cache = cache_at(index)); index++) {
        kmem_cache_read_info(cache_at(index), &info);
        used += cache->flags & KMEM_EXTERNAL ? 0 : info.used;
    }
    return used;
}

/* Descriptors name owners of pages. */
static void scan_descriptors(struct leak_scan *scan)
{
    for (uint64_t pfn = 0; pfn < MEM_MAP_PFN_END; pfn += MEM_SUBSECTION_PAGES) {
        const struct page *first = mem_map_find(&memory_map, pfn);
        if (first)
            leak_scan_range(scan, first, first + MEM_SUBSECTION_PAGES);
    }
}

static void scan_percpu(struct leak_scan *scan) NO_THREAD_SAFETY_ANALYSIS
{
    for (unsigned i = 0; i < PERCPU_CHUNKS_MAX; i++) {
        const char *const units = own_percpu.chunks[i].units;
        if (own_percpu.chunks[i].block)
            leak_scan_range(scan, units, units + (PAGE_SIZE << own_percpu.order));
    }
}

/* Tells what was not found, as many as fit; returns how many there are. */
static uint64_t tell(const struct leak_scan *scan, struct memsrv_leak *leaks, size_t capacity, size_t *count)
{
    uint64_t found = 0;

    for (uint32_t i = 0; (i = leak_scan_next(scan, i)) != LEAK_SCAN_NONE; i++) {
        const struct leak_object *object = &scan->objects[i];
        const struct kmem_cache *cache = object->owner;
        const struct kmem_track *track = (const struct kmem_track *)(const void *)(object->start + cache->track);
        found++;
        if (*count == capacity)
            continue;
        struct memsrv_leak *leak = &leaks[(*count)++];
        *leak = (struct memsrv_leak){.address = object->start,
                                     .size = object->size,
                                     .caller = cache->flags & KMEM_STORE_USER ? track->caller : 0};
        strncpy(leak->cache, cache->name, sizeof(leak->cache) - 1);
    }
    return found;
}

int memsrv_handle_leak_scan(struct memsrv_context *context, const struct message *request, uint64_t *objects,
                            uint64_t *found, struct memsrv_leak *leaks, size_t leaks_capacity, size_t *leaks_count)
{
    struct collection collection = {.capacity = (uint32_t)used_objects() + SPARE_OBJECTS};
    const struct kmem_cache *cache;
    struct leak_scan scan;

    collection.objects = vmalloc(&own_space, worker_index(), collection.capacity * sizeof(struct leak_object));
    if (!collection.objects)
        return -ENOMEM;
    workers_stop(context);
    for (uint64_t index = 0; (cache = cache_at(index)); index++)
        kmem_cache_visit(cache_at(index), collect, &collection);
    int error = leak_scan_begin(&scan, collection.objects, collection.count);
    if (!error) {
        leak_scan_range(&scan, __init_array_end, _end);
        scan_descriptors(&scan);
        scan_percpu(&scan);
    }
    workers_resume(context);
    if (!error) {
        *objects = collection.count;
        *found = tell(&scan, leaks, leaks_capacity, leaks_count);
    }
    const int freed = vfree(&own_space, worker_index(), collection.objects);
    return error ? error : freed;
}
