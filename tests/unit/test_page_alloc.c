/* SPDX-License-Identifier: MIT */
/* Zones, watermarks, reserves and hooks: what a request gets, and from where. */
#include <errno.h>
#include <string.h>

#include <mm/page_alloc.h>

#include "test_memory.h"

#define ZONE_PAGES 4096u /* each of the three */
#define PAGES      (ZONE_COUNT * ZONE_PAGES)
#define CPUS       2u

static struct mem_map *map;
static struct zone zones[ZONE_COUNT];
static struct page_allocator allocator;
static struct per_cpu_pages cpus[CPUS];
static struct page *held[PAGES];
static unsigned held_order[PAGES];
static uint64_t held_count;

/* What the hooks saw. */
static struct {
    uint64_t wakes, reclaims, drains, warnings, zeroed;
    unsigned reclaim_percent; /* chance that a call of the hook frees something */
    struct alloc_failure failure;
    uint64_t shortages[2]; /* looks that found none, and one */
} seen;

static void give_back(uint64_t which)
{
    struct page *page = held[which];
    unsigned order = held_order[which];
    held[which] = held[--held_count];
    held_order[which] = held_order[held_count];
    EXPECT(page_free(zones, NULL, page, order) == 0);
}

static void on_wake(void *context, struct zone *zone, gfp_t gfp, unsigned order)
{
    EXPECT(context == &seen && zone->type <= gfp_zone(gfp) && (gfp & GFP_FLAG_KSWAPD_RECLAIM) && order <= MAX_ORDER);
    seen.wakes++;
}

static uint64_t on_reclaim(void *context, gfp_t gfp, unsigned order)
{
    EXPECT(context == &seen && (gfp & GFP_FLAG_DIRECT_RECLAIM) && !(gfp & GFP_FLAG_MEMALLOC) && order <= MAX_ORDER);
    seen.reclaims++;
    if (held_count == 0 || !random_chance(seen.reclaim_percent))
        return 0;
    give_back(random_below(held_count));
    return 1;
}

static void on_drain(void *context, struct per_cpu_pages *own)
{
    EXPECT(context == &seen && (!own || own == &cpus[0] || own == &cpus[1]));
    for (unsigned i = 0; i < CPUS; i++)
        per_cpu_pages_drain(&cpus[i]);
    seen.drains++;
}

static void on_zero(void *context, struct page *page, unsigned order)
{
    EXPECT(context == &seen && page->order == order);
    seen.zeroed += 1UL << order;
}

static void on_warn(void *context, const struct alloc_failure *failure)
{
    EXPECT(context == &seen && !(failure->gfp & GFP_FLAG_NOWARN));
    seen.failure = *failure;
    seen.warnings++;
}

static const struct page_alloc_hooks hooks = {on_wake, on_reclaim, on_drain, on_zero, on_warn};
static const struct page_alloc_hooks no_hooks;

static void start_with(const struct page_alloc_hooks *with)
{
    map = test_map_create();
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        uint64_t first = TEST_FIRST_PFN + type * ZONE_PAGES;
        EXPECT(zone_init(&zones[type], (enum zone_type)type, map, first, first + ZONE_PAGES) == 0);
        EXPECT(buddy_add_range(&zones[type], first, first + ZONE_PAGES, MIGRATE_MOVABLE) == 0);
    }
    zones_set_watermarks(zones, min_free_kbytes_for(PAGES * 4), WATERMARK_SCALE_FACTOR);
    zones_set_lowmem_reserve(zones);
    page_allocator_init(&allocator, zones, with, &seen);
    for (unsigned i = 0; i < CPUS; i++)
        per_cpu_pages_init(&cpus[i], zones, CPUS);
    EXPECT(allocator.zonelist.count == ZONE_COUNT && allocator.zonelist.zones[0] == &zones[ZONE_NORMAL]);
}

static void start(void)
{
    start_with(&hooks);
}

static void finish(void)
{
    while (held_count)
        give_back(0);
    for (unsigned i = 0; i < CPUS; i++)
        per_cpu_pages_drain(&cpus[i]);
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        EXPECT(buddy_check(&zones[type]) == 0 && zones[type].free_pages == ZONE_PAGES);
    test_map_free(map);
}

static struct page *take(gfp_t gfp, unsigned order)
{
    struct page *page = page_alloc(&allocator, NULL, gfp, order);
    if (page) {
        held[held_count] = page;
        held_order[held_count++] = order;
    }
    return page;
}

static uint64_t take_all(gfp_t gfp)
{
    uint64_t count = 0;
    while (take(gfp, 0))
        count++;
    return count;
}

static void figures(void)
{
    EXPECT(min_free_kbytes_for(0) == MIN_FREE_KBYTES_LEAST && min_free_kbytes_for(1UL << 40) == MIN_FREE_KBYTES_MOST);
    EXPECT(min_free_kbytes_for(1UL << 20) == 4096 && min_free_kbytes_for(131072) == 1448);
    start();
    /* 48 MiB: 886 KiB are 221 pages, 73 for each third; a 1000th of a zone is less than a quarter of that. */
    EXPECT(min_free_kbytes_for(PAGES * 4) == 886);
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        EXPECT(zones[type].watermarks[WATERMARK_MIN] == 73 && zones[type].watermarks[WATERMARK_LOW] == 73 + 18);
        EXPECT(zones[type].watermarks[WATERMARK_HIGH] == 73 + 36 && zones[type].lowmem_reserve[type] == 0);
    }
    EXPECT(zones[ZONE_DMA].lowmem_reserve[ZONE_DMA32] == 16 && zones[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] == 32);
    EXPECT(zones[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL] == 16 && zones[ZONE_NORMAL].lowmem_reserve[ZONE_DMA] == 0);
    zones_set_watermarks(zones, 1200, 1000);
    EXPECT(zones[0].watermarks[WATERMARK_MIN] == 100 && zones[0].watermarks[WATERMARK_LOW] == 100 + 409);
    zones_set_watermarks(zones, UINT32_MAX, UINT64_MAX);
    EXPECT(zones[0].watermarks[WATERMARK_MIN] == ZONE_PAGES);
    EXPECT(!take(GFP_KERNEL, 0) && take(GFP_FLAG_MEMALLOC, 0));
    finish();
}

static void list_sizes(void)
{
    start();
    EXPECT(cpus[0].movable[0].batch == 1 && cpus[0].movable[0].high == (73 + 18) / CPUS);
    zones[0].managed_pages = 1UL << 20;
    struct page_list list;
    page_list_init(&list, &zones[0], MIGRATE_MOVABLE);
    EXPECT(list.batch == PAGE_LIST_BATCH_MAX && list.high == 4 * PAGE_LIST_BATCH_MAX);
    zones[0].managed_pages = 32768;
    page_list_set_size(&list, 8);
    EXPECT(list.batch == 8 && list.high == 32);
    zones[0].managed_pages = ZONE_PAGES;
    finish();
}

static void zones_in_order(void)
{
    start();
    EXPECT(take(GFP_KERNEL, 0)->zone == ZONE_NORMAL && take(GFP_KERNEL | GFP_DMA32, 0)->zone == ZONE_DMA32);
    EXPECT(take(GFP_KERNEL | GFP_DMA, 0)->zone == ZONE_DMA && seen.wakes == 0 && allocator.statistics.fallback == 0);
    /* Normal down to low, then DMA32 and DMA down to low and what they keep from such requests; then min. */
    uint64_t low = 73 + 18, free_pages[ZONE_COUNT] = {73 + 32, 73 + 16, 73};
    for (uint64_t i = 0; i < ZONE_PAGES - 1 - low; i++)
        EXPECT(take(GFP_NOWAIT, 0)->zone == ZONE_NORMAL);
    EXPECT(take(GFP_NOWAIT, 0)->zone == ZONE_DMA32 && allocator.statistics.fallback == 1 && seen.wakes == 0);
    while (take(GFP_NOWAIT, 0))
        continue;
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        EXPECT(zones[type].free_pages == free_pages[type]);
    EXPECT(seen.wakes > 0 && seen.drains == 0 && seen.reclaims == 0 && seen.warnings == 0);
    /* What is left in the lower zones is there for who needs it. */
    EXPECT(take(GFP_KERNEL | GFP_DMA, 0)->zone == ZONE_DMA);
    finish();
}

static void reserves(void)
{
    start();
    (void)take_all(GFP_NOWAIT | GFP_DMA);
    EXPECT(zones[ZONE_DMA].free_pages == 73);
    EXPECT(take_all(GFP_KERNEL | GFP_FLAG_HIGH | GFP_DMA) == 36 && zones[ZONE_DMA].free_pages == 37);
    EXPECT(take_all(GFP_ATOMIC | GFP_DMA) == 9 && zones[ZONE_DMA].free_pages == 28); /* 37 - 37/4 */
    EXPECT(take_all(GFP_ATOMIC | GFP_DMA | GFP_FLAG_MEMALLOC | GFP_FLAG_NOMEMALLOC) == 0);
    EXPECT(take_all(GFP_FLAG_MEMALLOC | GFP_DMA | GFP_FLAG_RECLAIM) == 28 && zones[ZONE_DMA].free_pages == 0);
    finish();
}

static void failures_are_reported(void)
{
    start();
    (void)take_all(GFP_NOWAIT);
    EXPECT(seen.warnings == 0 && allocator.statistics.failures == 1);
    EXPECT(!take(GFP_KERNEL, 2) && seen.warnings == 1 && seen.drains == 1 && seen.reclaims == 1);
    EXPECT(seen.failure.order == 2 && seen.failure.gfp == GFP_KERNEL && seen.failure.failures == 2);
    EXPECT(!take(GFP_KERNEL | GFP_FLAG_NOWARN, 0) && seen.warnings == 1);
    EXPECT(!take(GFP_NOWAIT, MAX_ORDER + 1) && !take(GFP_KERNEL, MAX_ORDER + 1) && seen.warnings == 1);
    finish();
}

static void rounds_of_reclaim(void)
{
    start();
    (void)take_all(GFP_NOWAIT);
    seen.reclaim_percent = 100;
    EXPECT(take(GFP_KERNEL, 0) && seen.reclaims == 1 && seen.warnings == 0);
    seen.reclaims = 0;
    EXPECT(!take(GFP_KERNEL | GFP_FLAG_NORETRY, 3) && seen.reclaims == 1);
    seen.reclaims = 0;
    EXPECT(!take(GFP_KERNEL, MAX_ORDER) && seen.reclaims == 1);
    seen.reclaims = 0;
    EXPECT(!take(GFP_KERNEL | GFP_FLAG_RETRY_MAYFAIL, MAX_ORDER) && seen.reclaims == RECLAIM_TRIES);
    seen.reclaims = 0;
    EXPECT(!take(GFP_NOWAIT, MAX_ORDER) && !take(GFP_ATOMIC, MAX_ORDER) && seen.reclaims == 0);
    finish();
}

static void lists_are_drained(void)
{
    start_with(&no_hooks);
    struct page *page = page_alloc(&allocator, &cpus[0], GFP_HIGHUSER_MOVABLE, 0);
    struct page *table = page_alloc(&allocator, &cpus[0], GFP_ATOMIC, 0);
    EXPECT(page && table && page->migrate == MIGRATE_MOVABLE && table->migrate == MIGRATE_UNMOVABLE);
    EXPECT(page_free(zones, &cpus[0], page, 0) == 0 && page_free(zones, &cpus[0], table, 0) == 0);
    EXPECT(page_free(zones, &cpus[0], table, 0) == -EINVAL);
    EXPECT(cpus[0].movable[ZONE_NORMAL].count == 1 && cpus[0].unmovable[ZONE_NORMAL].count == 1);
    EXPECT(per_cpu_pages_count(&cpus[0]) == 2 && per_cpu_pages_check(&cpus[0]) == 0);
    /* Without the two pages no largest block is left in the whole of Normal but by draining. */
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        zones[type].watermarks[WATERMARK_MIN] = zones[type].watermarks[WATERMARK_LOW] = 0;
        memset(zones[type].lowmem_reserve, 0, sizeof(zones[type].lowmem_reserve));
    }
    uint64_t blocks = 0;
    for (struct page *block; (block = page_alloc(&allocator, &cpus[0], GFP_KERNEL, MAX_ORDER)); blocks++) {
        held[held_count] = block;
        held_order[held_count++] = MAX_ORDER;
    }
    EXPECT(blocks == PAGES >> MAX_ORDER && per_cpu_pages_count(&cpus[0]) == 0);
    EXPECT(allocator.statistics.drains == 2 && allocator.statistics.failures == 1);
    finish();
}

static void zeroing(void)
{
    start();
    EXPECT(take(GFP_KERNEL | GFP_FLAG_ZERO, 3) && seen.zeroed == 8 && take(GFP_KERNEL, 0) && seen.zeroed == 8);
    EXPECT(gfp_migrate_type(GFP_FLAG_RECLAIMABLE) == MIGRATE_RECLAIMABLE);
    EXPECT(take(GFP_KERNEL | GFP_FLAG_RECLAIMABLE, 0)->migrate == MIGRATE_RECLAIMABLE);
    finish();
}

/* --- The model ---------------------------------------------------------------------------------------------------- */

static uint64_t mark_of(gfp_t gfp, bool slow)
{
    uint64_t mark = slow ? zones[0].watermarks[WATERMARK_MIN] : zones[0].watermarks[WATERMARK_LOW];
    bool reserve = !(gfp & GFP_FLAG_NOMEMALLOC);
    if (slow && reserve && (gfp & GFP_FLAG_MEMALLOC))
        return 0;
    if (slow && (gfp & GFP_FLAG_HIGH)) {
        mark -= mark / 2;
        if (reserve && !(gfp & GFP_FLAG_DIRECT_RECLAIM))
            mark -= mark / 4;
    }
    return mark;
}

/* The zone that a request for one page must be served from; -1: none, without reclaim. */
static int model_zone(gfp_t gfp)
{
    for (int slow = 0; slow < 2; slow++) {
        bool all = slow && (gfp & GFP_FLAG_MEMALLOC) && !(gfp & GFP_FLAG_NOMEMALLOC);
        for (int type = (int)gfp_zone(gfp); type >= 0; type--) {
            uint64_t reserved = all ? 0 : zones[type].lowmem_reserve[gfp_zone(gfp)];
            if (zones[type].free_pages >= mark_of(gfp, slow) + reserved + 1)
                return type;
        }
    }
    return -1;
}

static gfp_t random_gfp(void)
{
    static const gfp_t kinds[] = {GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_HIGHUSER_MOVABLE, GFP_TRANSHUGE, GFP_NOIO};
    static const gfp_t more[] = {0, GFP_DMA, GFP_DMA32, GFP_FLAG_RECLAIMABLE, GFP_FLAG_NORETRY, GFP_FLAG_NOMEMALLOC};
    gfp_t gfp = kinds[random_below(6)] | more[random_below(6)];
    return random_chance(2) ? gfp | GFP_FLAG_MEMALLOC : gfp;
}

static void step_single(void)
{
    gfp_t gfp = random_gfp();
    int expected = model_zone(gfp);
    uint64_t reclaims = seen.reclaims;
    struct page *page = take(gfp, 0);
    if (expected >= 0)
        EXPECT(page && page->zone == expected && seen.reclaims == reclaims);
    else if (!(gfp & GFP_FLAG_DIRECT_RECLAIM) || (gfp & GFP_FLAG_MEMALLOC))
        EXPECT(!page && seen.reclaims == reclaims);
    if (page)
        EXPECT(page->zone <= gfp_zone(gfp) && page->migrate == gfp_migrate_type(gfp));
}

static void step_block(void)
{
    gfp_t gfp = random_gfp();
    unsigned order = (unsigned)random_below(ORDER_COUNT + 1);
    struct page *page = take(gfp, order);
    if (page)
        EXPECT(page->order == order && page->zone <= gfp_zone(gfp));
}

/* A page by way of a processor's lists and back, at once or later. */
static void step_list(void)
{
    struct per_cpu_pages *own = &cpus[random_below(CPUS)];
    struct page *page = page_alloc(&allocator, own, random_gfp(), 0);
    if (page && random_chance(50)) {
        EXPECT(page_free(zones, own, page, 0) == 0);
    } else if (page) {
        held[held_count] = page;
        held_order[held_count++] = 0;
    }
    EXPECT(per_cpu_pages_check(own) == 0);
}

static void verify(void)
{
    uint64_t sum = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        sum += zones[type].free_pages;
    for (unsigned i = 0; i < CPUS; i++)
        sum += per_cpu_pages_count(&cpus[i]);
    for (uint64_t i = 0; i < held_count; i++)
        sum += 1UL << held_order[i];
    EXPECT(sum == PAGES);
    if (test_step % 50 == 0) {
        for (unsigned type = 0; type < ZONE_COUNT; type++)
            EXPECT(buddy_check(&zones[type]) == 0);
    }
}

/* Memory is short for some flags if that many pages are free in none of the zones that suit them. */
static void shortage_ok(gfp_t gfp)
{
    const enum zone_type highest = gfp_zone(gfp);
    bool is_short = true;
    for (unsigned type = 0; type <= highest; type++)
        is_short = is_short && zones[type].free_pages <=
                                   zones[type].watermarks[WATERMARK_LOW] + zones[type].lowmem_reserve[highest];
    EXPECT(page_alloc_is_short(&allocator, gfp) == is_short);
    seen.shortages[is_short]++;
}

static void random_model(void)
{
    unsigned fill = 50;
    start();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % 2000 == 0) {
            fill = 30 + (unsigned)random_below(60);
            seen.reclaim_percent = (unsigned)random_below(100);
        }
        unsigned choice = (unsigned)random_below(100);
        if (!random_chance(fill) && held_count)
            give_back(random_below(held_count));
        else if (choice < 70)
            step_single();
        else if (choice < 80)
            step_block();
        else
            step_list();
        if (test_step % 10 == 0)
            verify();
        shortage_ok(test_step % 2 ? GFP_HIGHUSER_MOVABLE : GFP_DMA);
    }
    EXPECT(seen.shortages[0] && seen.shortages[1]);
    EXPECT(seen.wakes && seen.reclaims && seen.drains && seen.warnings);
    finish();
}

static const struct test_row rows[] = {
    {"figures", "watermarks and reserves are Linux's", figures},
    {"list_sizes", "lists suit the zone and the processors", list_sizes},
    {"zones_in_order", "zones are used from the highest down, and keep something for who needs them", zones_in_order},
    {"reserves", "the flags say how far into the reserve a request goes", reserves},
    {"failures_are_reported", "a failure is counted and reported unless the caller does not want it",
     failures_are_reported},
    {"rounds_of_reclaim", "reclaim goes on while it helps and the request is worth it", rounds_of_reclaim},
    {"lists_are_drained", "pages in lists come back before a request fails", lists_are_drained},
    {"zeroing", "pages are zeroed, and typed, as the flags say", zeroing},
    {"random_model", "each page comes from the zone that the model says", random_model},
};
TEST_MAIN("page_alloc", rows)
