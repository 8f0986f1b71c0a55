/* SPDX-License-Identifier: MIT */
/* What the compiler calls before each access in sbin/memsrv-kasan, see kasan.h. This file is not looked at itself. */
#include "kasan.h"

#include <base/asan_calls.h>

#include "caches.h"
#include "log.h"
#include "memory.h"

#define UNWATCHED ASAN_UNWATCHED

#define GRANULE       8u
#define PAGE_GRANULES (PAGE_SIZE / GRANULE)
#define SHADOWS_MAX   1024u /* pages of caches that can be watched */
#define PLACES        2048u /* a power of two above that */
#define SHADOW_RED    0xfc
#define SHADOW_FREED  0xfb

/* The pages that have a shadow, by hash of their number; none ever goes. */
static struct place {
    uint64_t pfn; /* 0: free; atomic, set last */
    uint8_t *shadow;
} places[PLACES];
static uint8_t shadows[SHADOWS_MAX][PAGE_GRANULES];
static uint32_t shadow_count; /* atomic: may go on beyond SHADOWS_MAX */
static uint32_t making;       /* atomic: one makes a shadow */
static uint64_t reports;      /* atomic */
static bool reporting[WORKERS_MAX];

UNWATCHED static uint8_t *shadow_find(uint64_t pfn)
{
    for (uint64_t i = pfn % PLACES;; i = (i + 1) % PLACES) {
        const uint64_t found = __atomic_load_n(&places[i].pfn, __ATOMIC_ACQUIRE);
        if (found == pfn)
            return places[i].shadow;
        if (!found)
            return NULL;
    }
}

UNWATCHED static uint8_t *shadow_make(uint64_t pfn)
{
    uint8_t *shadow;
    uint64_t place = pfn % PLACES;

    while (__atomic_exchange_n(&making, 1, __ATOMIC_ACQUIRE))
        machine_relax();
    shadow = shadow_find(pfn);
    if (!shadow && shadow_count < SHADOWS_MAX) {
        shadow = shadows[shadow_count++];
        while (places[place].pfn)
            place = (place + 1) % PLACES;
        places[place].shadow = shadow;
        __atomic_store_n(&places[place].pfn, pfn, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&making, 0, __ATOMIC_RELEASE);
    return shadow;
}

/* Says of [start, start + size) that all of it may be used (0), or none, and why. */
UNWATCHED static void shadow_set(uint64_t start, uint64_t size, uint8_t value)
{
    for (uint64_t at = start; at < start + size; at += GRANULE) {
        const uint64_t pfn = (at - WINDOW_BASE) >> PAGE_SHIFT, left = start + size - at;
        uint8_t *shadow = shadow_find(pfn);
        if (!shadow)
            shadow = shadow_make(pfn);
        if (shadow)
            shadow[at % PAGE_SIZE / GRANULE] = value || left >= GRANULE ? value : (uint8_t)left;
    }
}

UNWATCHED void kasan_allocated(const struct kmem_cache *cache, const void *record)
{
    const uint64_t start = (uint64_t)record;
    const uint64_t end = (start + cache->object_size + GRANULE - 1) & ~(uint64_t)(GRANULE - 1);

    if (!record)
        return;
    shadow_set(start - cache->red_left, cache->red_left, SHADOW_RED);
    shadow_set(start, cache->object_size, 0);
    shadow_set(end, start - cache->red_left + cache->size - end, SHADOW_RED);
}

UNWATCHED void kasan_freed(const struct kmem_cache *cache, const void *record)
{
    shadow_set((uint64_t)record, cache->object_size, SHADOW_FREED);
}

UNWATCHED uint64_t kasan_reports(void)
{
    return __atomic_load_n(&reports, __ATOMIC_RELAXED);
}

/* --- Reports ------------------------------------------------------------------------------------------------------ */

static void report_track(const char *what, const struct kmem_track *track)
{
    if (track->caller)
        log_line("KASAN:   %s at 0x%lx", what, track->caller);
}

/* Which record it is about: that of the slot of its slab that the address lies in. */
static void report_record(uint64_t address)
{
    const struct kmem_cache *cache = kmem_cache_of(&record_source, (const void *)address);
    const struct page *page = mem_map_find(&memory_map, (address - WINDOW_BASE) >> PAGE_SHIFT);

    if (!cache || !page)
        return;
    const uint64_t slab = address & cache->slab_mask;
    const uint64_t record = slab + (address - slab) / cache->size * cache->size + cache->red_left;
    log_line("KASAN: record of cache %s, %lu bytes at 0x%lx", cache->name, (uint64_t)cache->object_size, record);
    if (!(cache->flags & KMEM_STORE_USER))
        return;
    const struct kmem_track *track = (const struct kmem_track *)(const void *)(record + cache->track);
    report_track("allocated", &track[0]);
    report_track("freed", &track[1]);
}

UNWATCHED static void report(uint64_t address, uint64_t size, bool write, uint8_t shadow, uint64_t caller)
{
    uint64_t saved[MSG_BUFFER_WORDS];
    bool *const busy = &reporting[worker_index()];

    if (*busy)
        return;
    *busy = true;
    __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
    memcpy(saved, ipc_buffer()->words, sizeof(saved));
    log_line("KASAN: %s at 0x%lx", shadow == SHADOW_FREED ? "use-after-free" : "slab-out-of-bounds", caller);
    log_line("KASAN: %s of size %lu at 0x%lx", write ? "write" : "read", size, address);
    report_record(address);
    memcpy(ipc_buffer()->words, saved, sizeof(saved));
    *busy = false;
}

/* --- What the compiler calls -------------------------------------------------------------------------------------- */

static inline UNWATCHED void check(const void *pointer, uint64_t size, bool write, const uint64_t *frame)
{
    const uint64_t address = (uint64_t)pointer, end = address + size;

    if (address - WINDOW_BASE >= WINDOW_SIZE)
        return;
    for (uint64_t at = address & ~(uint64_t)(GRANULE - 1); at < end; at += GRANULE) {
        const uint8_t *shadow = shadow_find((at - WINDOW_BASE) >> PAGE_SHIFT);
        const uint8_t value = shadow ? shadow[at % PAGE_SIZE / GRANULE] : 0;
        if (value && (value > GRANULE || end - at > value)) {
            report(address, size, write, value, frame[1]);
            return;
        }
    }
}

ASAN_CALLS(check)

void __asan_handle_no_return(void)
{
}
