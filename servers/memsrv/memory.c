/* SPDX-License-Identifier: MIT */
/* Pages for programs, for the kernel and for memsrv itself. */
#include "memory.h"

#include <quire/syscall.h>

#include "drain.h"
#include "fail_alloc.h"
#include "log.h"
#include "pager.h"
#include "trace.h"

/* Failures that are reported one by one; after them each power of two. */
#define FAILURES_REPORTED 8u
/* What a line of the log takes of the IPC buffer, at least. */
#define LOG_WORDS 32u

struct mem_map memory_map;
struct zone zones[ZONE_COUNT];
struct page_allocator page_allocator;
struct boot_account boot_account;
enum zone_type preferred_zone;
bool zeroes_blocks;

static uint32_t processors;

static void zero_block(void *context, struct page *page, unsigned order)
{
    (void)context;
    for (uint64_t i = 0; i < 1UL << order; i++)
        page_zero(&page[i]);
}

/* Asks the other workers for their pages, too. */
static void drain_all(void *context, struct per_cpu_pages *own)
{
    (void)context;
    if (own)
        drain_lists(CONTAINER_OF(own, struct memsrv_context, pages));
}

static void report_zone(struct zone *zone)
{
    struct zone_info info;
    zone_read_info(zone, &info);
    if (info.managed_pages == 0)
        return;
    log_line("zone %s: free %lu min %lu low %lu high %lu managed %lu deferred %lu protection %lu %lu %lu", zone->name,
             info.free_pages, info.watermarks[WATERMARK_MIN], info.watermarks[WATERMARK_LOW],
             info.watermarks[WATERMARK_HIGH], info.managed_pages, info.deferred_pages, info.lowmem_reserve[ZONE_DMA],
             info.lowmem_reserve[ZONE_DMA32], info.lowmem_reserve[ZONE_NORMAL]);
}

static void report_failure(void *context, const struct alloc_failure *failure)
{
    uint64_t saved[LOG_WORDS];

    (void)context;
    if (failure->failures > FAILURES_REPORTED && (failure->failures & (failure->failures - 1)))
        return;
    memcpy(saved, ipc_buffer()->words, sizeof(saved));
    log_line("page allocation failure %lu: order %lu, gfp 0x%lx", failure->failures, (uint64_t)failure->order,
             (uint64_t)failure->gfp);
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        report_zone(&zones[type]);
    memcpy(ipc_buffer()->words, saved, sizeof(saved));
}

/* The pager is told once; it looks at all zones itself. */
static void wake_reclaim(void *context, struct zone *zone, gfp_t gfp, unsigned order)
{
    (void)context, (void)zone, (void)gfp;
    trace(TRACE_WAKEUP_KSWAPD, order, 0);
    pager_tell(PAGER_RECLAIM);
}

/* No reclaim on the worker's own time: it never waits for the pager. A fault that gets nothing is set aside. */
static const struct page_alloc_hooks hooks = {
    .wake_reclaim = wake_reclaim, .drain = drain_all, .zero = zero_block, .warn = report_failure};

void memory_init(uint64_t cpu_count)
{
    processors = (uint32_t)(cpu_count < WORKERS_MAX ? cpu_count : WORKERS_MAX);
    page_allocator_init(&page_allocator, zones, &hooks, NULL);
    worker_lists_init(&workers[0]);
}

void worker_lists_init(struct memsrv_context *worker)
{
    per_cpu_pages_init(&worker->pages, zones, processors);
    fail_alloc_set_source(worker);
}

struct page *page_take_slow(struct memsrv_context *worker)
{
    worker->group_full = 0;
    if (fail_alloc_now(MEMSRV_FAIL_USER))
        return NULL;
    const gfp_t reserve = worker->reserve ? GFP_FLAG_MEMALLOC : 0;
    struct page *page = page_alloc(&page_allocator, &worker->pages, GFP_HIGHUSER_MOVABLE | reserve, 0);
    if (page && worker->watch)
        page_taken(worker, page, 0);
    worker->starved |= !page;
    return page;
}

/* What a block is to fail as. */
static uint64_t fail_kind(uint32_t mark)
{
    if (mark & PAGE_TABLE)
        return MEMSRV_FAIL_TABLES;
    if (mark & PAGE_OBJECT)
        return MEMSRV_FAIL_OBJECTS;
    return mark & PAGE_HUGE ? MEMSRV_FAIL_HUGE : MEMSRV_FAIL_RECORDS;
}

struct page *pages_take(gfp_t gfp, unsigned order, uint32_t mark)
{
    if (fail_alloc_now(fail_kind(mark)))
        return NULL;
    struct memsrv_context *worker = worker_current();
    struct page *page =
        page_alloc(&page_allocator, &worker->pages, gfp | (worker->reserve ? GFP_FLAG_MEMALLOC : 0), order);
    if (page) {
        page->flags |= mark;
        if (worker->watch)
            page_taken(worker, page, order);
    }
    worker->starved |= !page && order == 0;
    return page;
}

void pages_give(struct page *page, unsigned order)
{
    struct memsrv_context *worker = worker_current();

    page->flags &= ~PAGE_OWNER_FLAGS;
    if (worker->watch)
        page_given(worker, page, order);
    int error = page_free(zones, &worker->pages, page, order);
    ASSERT(error == 0);
    (void)error;
}

struct page *system_page_take(uint32_t mark)
{
    return pages_take(mark & (PAGE_TABLE | PAGE_OBJECT) ? GFP_ATOMIC : GFP_KERNEL, 0, mark);
}

void system_page_give(struct page *page)
{
    pages_give(page, 0);
}

uint64_t memory_free_pages(void)
{
    uint64_t pages = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        struct zone_info info;
        zone_read_info(&zones[type], &info);
        pages += info.free_pages + info.deferred_pages;
    }
    return pages;
}

bool memory_is_short(void)
{
    return page_alloc_is_short(&page_allocator, GFP_HIGHUSER_MOVABLE);
}

uint64_t memory_reserve_pages(void)
{
    uint64_t pages = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        struct zone_info info;
        zone_read_info(&zones[type], &info);
        pages += info.watermarks[WATERMARK_MIN];
    }
    return pages;
}

uint64_t memory_listed_pages(void)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < worker_count; i++)
        pages += per_cpu_pages_count(&workers[i].pages);
    return pages;
}
