/* SPDX-License-Identifier: MIT */
/* What the kmem caches of memsrv have in common, and the list of them. */
#include <quire/syscall.h>
#include <string.h>

#include <proto/memsrv_dispatch.h>

#include "caches.h"
#include "log.h"
#include "memory.h"
#include "pager.h"

#define MIN_PARTIAL 2u
#define CPU_PARTIAL 4u
#define DEBUG_KEY   "quire.slab_debug"

_Static_assert(WORKERS_MAX <= KMEM_CPUS_MAX, "a worker is a CPU of the caches");

static struct kmem_cache *caches[CACHES_MAX];
static uint32_t cache_count;
#ifdef MEMSRV_KASAN
#define DEBUG_ALWAYS KMEM_DEBUG
#else
#define DEBUG_ALWAYS (QUIRE_CHECKS >= 2 ? KMEM_DEBUG : 0)
#endif
static uint32_t debug_flags = DEBUG_ALWAYS;
static uint64_t pages_out; /* of record_source; atomic */

/* --- Pages -------------------------------------------------------------------------------------------------------- */

/* A program may have many records, so they do not touch what is kept for the kernel. */
static struct page *get_block(void *context, unsigned order)
{
    struct page *page = pages_take(GFP_KERNEL | GFP_FLAG_NOWARN, order, 0);

    (void)context;
    if (page)
        __atomic_fetch_add(&pages_out, 1UL << order, __ATOMIC_RELAXED);
    return page;
}

static void put_block(void *context, struct page *page, unsigned order)
{
    (void)context;
    __atomic_fetch_sub(&pages_out, 1UL << order, __ATOMIC_RELAXED);
    pages_give(page, order);
}

static struct page *find_page(void *context, const void *address)
{
    uint64_t physical = (uint64_t)address - WINDOW_BASE;
    return physical < WINDOW_SIZE ? mem_map_find(&memory_map, physical >> PAGE_SHIFT) : NULL;
}

static void *address_of(void *context, const struct page *page)
{
    return page_window(page);
}

const struct page_source record_source = {.get = get_block, .put = put_block, .find = find_page, .address = address_of};

/* --- Reports ------------------------------------------------------------------------------------------------------ */

static void report_track(const char *what, const struct kmem_track *track)
{
    if (track->caller)
        log_line("  %s at 0x%lx by worker %lu, operation %lu", what, track->caller, track->cpu, track->sequence);
}

static void report_fault(const struct kmem_report *report)
{
    static const char *const texts[] = {
        [KMEM_BAD_POINTER] = "a free of what is no object", [KMEM_DOUBLE_FREE] = "a free of a free object",
        [KMEM_USE_AFTER_FREE] = "a write to a free object", [KMEM_RED_ZONE_HIT] = "a write beside an object",
        [KMEM_BAD_LINK] = "a broken list of free objects",
    };
    log_line("cache %s: %s, 0x%lx%s%ld, byte 0x%lx", report->cache, texts[report->fault], (uint64_t)report->object,
             report->offset < 0 ? "" : "+", report->offset, (uint64_t)report->value);
    report_track("allocated", &report->allocated);
    report_track("freed", &report->freed);
}

/* --- Caches ------------------------------------------------------------------------------------------------------- */

static uint32_t flag_of_letter(char letter)
{
    switch (letter) {
    case 'F':
        return KMEM_CONSISTENCY;
    case 'Z':
        return KMEM_RED_ZONE;
    case 'P':
        return KMEM_POISON;
    case 'U':
        return KMEM_STORE_USER;
    default:
        return 0;
    }
}

void caches_init(const char *arguments)
{
    const char *key = strstr(arguments, DEBUG_KEY);
    const char *letter = key ? key + sizeof(DEBUG_KEY) - 1 : "?";
    uint32_t flags = 0;
    if (*letter != '=' && *letter != ' ' && *letter != '\0')
        return;
    if (*letter++ == '=') {
        for (; *letter && *letter != ' '; letter++)
            flags |= flag_of_letter(*letter);
    }
    debug_flags = flags ? flags : KMEM_DEBUG;
    log_line("caches are debugged, flags 0x%lx", (uint64_t)debug_flags);
}

/* Differs from cache to cache and from boot to boot, as far as the clock does. */
static uint64_t make_secret(void)
{
    static uint64_t state;
    state = (state ^ clock_ticks()) + 0x9e3779b97f4a7c15UL;
    uint64_t value = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9UL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebUL;
    return value ^ (value >> 31);
}

void cache_defaults(struct kmem_cache_args *args)
{
    args->flags |= debug_flags;
    args->min_partial = MIN_PARTIAL;
    args->cpu_partial = CPU_PARTIAL;
    args->secret = make_secret();
    args->report = report_fault;
}

void cache_list(struct kmem_cache *cache)
{
    if (cache_count == CACHES_MAX)
        fatal("more than %lu caches", (uint64_t)CACHES_MAX);
    caches[cache_count++] = cache;
}

void cache_create(struct kmem_cache *cache, const char *name, uint32_t size, uint32_t align)
{
    struct kmem_cache_args args = {.name = name, .size = size, .align = align, .source = &record_source};
    cache_defaults(&args);
    if (kmem_cache_init(cache, &args))
        fatal("cache %s cannot be made", name);
    cache_list(cache);
}

struct kmem_cache *cache_at(uint64_t index)
{
    return index < cache_count ? caches[index] : NULL;
}

uint64_t record_pages(void)
{
    for (uint32_t i = 0; i < cache_count; i++)
        kmem_cache_shrink(caches[i]);
    return __atomic_load_n(&pages_out, __ATOMIC_RELAXED);
}

int caches_check(void)
{
    int error = 0;
    for (uint32_t i = 0; i < cache_count && !error; i++)
        error = kmem_cache_check(caches[i]);
    return error;
}

int memsrv_handle_caches_shrink(struct memsrv_context *context, const struct message *request, uint64_t *pages)
{
    if (!pager_is_caller(request))
        return -EPERM;
    const uint64_t before = __atomic_load_n(&pages_out, __ATOMIC_RELAXED), after = record_pages();
    *pages = before > after ? before - after : 0;
    return 0;
}

int memsrv_handle_slab_info(struct memsrv_context *context, const struct message *request, uint64_t index,
                            struct memsrv_slab *slab, size_t slab_capacity, size_t *slab_count)
{
    struct kmem_cache_info info;
    struct kmem_cache *cache = cache_at(index);

    if (!cache)
        return -ENOENT;
    if (slab_capacity == 0)
        return -EINVAL;
    kmem_cache_shrink(cache);
    kmem_cache_read_info(cache, &info);
    *slab = (struct memsrv_slab){.object_size = info.object_size,
                                 .size = info.size,
                                 .used = info.used,
                                 .objects = info.objects,
                                 .objects_per_slab = info.objects_per_slab,
                                 .pages_per_slab = info.pages_per_slab,
                                 .slabs = info.slabs,
                                 .slabs_partial = info.slabs_partial,
                                 .pages = info.pages,
                                 .min_partial = info.min_partial,
                                 .cpu_partial = info.cpu_partial,
                                 .refills = info.refills,
                                 .failures = info.failures,
                                 .reports = info.reports};
    strncpy(slab->name, info.name, sizeof(slab->name) - 1);
    *slab_count = 1;
    return 0;
}
