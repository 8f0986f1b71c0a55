/* SPDX-License-Identifier: MIT */
/* Zones: set-up, watermarks and figures. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/zone.h>

static const char *const zone_names[ZONE_COUNT] = {"DMA", "DMA32", "Normal"};

int zone_init(struct zone *zone, enum zone_type type, struct mem_map *map, uint64_t start_pfn,
              uint64_t end_pfn) NO_THREAD_SAFETY_ANALYSIS
{
    if ((unsigned)type >= ZONE_COUNT || start_pfn > end_pfn || end_pfn > MEM_MAP_PFN_END ||
        !is_aligned(start_pfn | end_pfn, ZONE_ALIGNMENT_PAGES))
        return -EINVAL;
    memset(zone, 0, sizeof(*zone));
    spinlock_init(&zone->lock, LOCK_ZONE);
    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++)
            list_init(&zone->free_areas[order].blocks[migrate]);
    }
    zone->map = map;
    zone->type = type;
    zone->name = zone_names[type];
    zone->start_pfn = start_pfn;
    zone->end_pfn = end_pfn;
    return 0;
}

/* The largest number whose square is at most `value`. */
static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = 1UL << 31; bit; bit >>= 1) {
        if ((root | bit) * (root | bit) <= value)
            root |= bit;
    }
    return root;
}

uint64_t min_free_kbytes_for(uint64_t lowmem_kbytes)
{
    uint64_t kbytes = square_root(lowmem_kbytes * 16);
    if (kbytes < MIN_FREE_KBYTES_LEAST)
        return MIN_FREE_KBYTES_LEAST;
    return kbytes > MIN_FREE_KBYTES_MOST ? MIN_FREE_KBYTES_MOST : kbytes;
}

static uint64_t managed_pages(struct zone *zone)
{
    spinlock_acquire(&zone->lock);
    uint64_t pages = zone->managed_pages;
    spinlock_release(&zone->lock);
    return pages;
}

static void set_watermarks(struct zone *zone, uint64_t min, uint64_t scale_factor) EXCLUDES(zone->lock)
{
    spinlock_acquire(&zone->lock);
    uint64_t distance = zone->managed_pages * scale_factor / 10000;
    if (distance < min / 4)
        distance = min / 4;
    zone->watermarks[WATERMARK_MIN] = min;
    zone->watermarks[WATERMARK_LOW] = min + distance;
    zone->watermarks[WATERMARK_HIGH] = min + 2 * distance;
    spinlock_release(&zone->lock);
}

void zones_set_watermarks(struct zone zones[ZONE_COUNT], uint64_t min_free_kbytes, uint64_t scale_factor)
{
    uint64_t kept = min_free_kbytes / (PAGE_SIZE / 1024);
    uint64_t total = 0;

    for (unsigned type = 0; type < ZONE_COUNT; type++)
        total += managed_pages(&zones[type]);
    for (unsigned type = 0; type < ZONE_COUNT && total; type++) {
        /* Neither factor is above 2^32: the window has 2^27 pages. */
        uint64_t share = kept < total ? kept * managed_pages(&zones[type]) / total : managed_pages(&zones[type]);
        set_watermarks(&zones[type], share, scale_factor < 10000 ? scale_factor : 10000);
    }
}

void zones_set_lowmem_reserve(struct zone zones[ZONE_COUNT])
{
    static const uint64_t ratios[ZONE_COUNT] = {[ZONE_DMA] = 256, [ZONE_DMA32] = 256, [ZONE_NORMAL] = 32};

    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        uint64_t above = 0;
        zones[type].lowmem_reserve[type] = 0;
        for (unsigned higher = type + 1; higher < ZONE_COUNT; higher++) {
            above += managed_pages(&zones[higher]);
            zones[type].lowmem_reserve[higher] = managed_pages(&zones[type]) ? above / ratios[type] : 0;
        }
    }
}

/* A mark as low as `alloc_flags` lets it be. */
static uint64_t lowered_mark(uint64_t mark, unsigned alloc_flags)
{
    if (alloc_flags & ALLOC_MIN_RESERVE) {
        mark -= mark / 2;
        if (alloc_flags & ALLOC_NON_BLOCK)
            mark -= mark / 4;
    }
    return mark;
}

bool zone_watermark_ok_locked(const struct zone *zone, unsigned order, enum watermark mark, enum zone_type highest,
                              unsigned alloc_flags)
{
    uint64_t needed = 1UL << order;
    if (!(alloc_flags & ALLOC_NO_WATERMARKS))
        needed += lowered_mark(zone->watermarks[mark], alloc_flags) + zone->lowmem_reserve[highest];
    if (order > MAX_ORDER || zone->free_pages + zone->deferred_pages < needed)
        return false;
    if (order == 0 || zone->deferred_pages)
        return true;
    for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++) {
        if (zone->nonempty_orders[migrate] >> order)
            return true;
    }
    return false;
}

void zone_read_info(struct zone *zone, struct zone_info *info)
{
    info->type = zone->type;
    info->start_pfn = zone->start_pfn;
    info->end_pfn = zone->end_pfn;
    memcpy(info->lowmem_reserve, zone->lowmem_reserve, sizeof(info->lowmem_reserve));

    spinlock_acquire(&zone->lock);
    memcpy(info->watermarks, zone->watermarks, sizeof(info->watermarks));
    info->deferred_pages = zone->deferred_pages;
    info->present_pages = zone->present_pages;
    info->managed_pages = zone->managed_pages;
    info->free_pages = zone->free_pages;
    info->statistics = zone->statistics;
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        memcpy(info->free_blocks[order], zone->free_areas[order].count, sizeof(info->free_blocks[order]));
    spinlock_release(&zone->lock);
}

/* The pageblocks of one section, which holds the pages [pfn, end) of the zone. */
static void count_section(struct zone *zone, uint64_t pfn, uint64_t end, uint64_t counts[MIGRATE_COUNT])
    EXCLUDES(zone->lock)
{
    spinlock_acquire(&zone->lock);
    for (; pfn < end; pfn += PAGEBLOCK_PAGES) {
        const struct page *first = mem_map_find(zone->map, pfn);
        bool any = false;
        for (uint64_t i = 0; first && i < PAGEBLOCK_PAGES && !any; i++)
            any = !(first[i].flags & PAGE_RESERVED);
        if (any)
            counts[first->pageblock_migrate]++;
    }
    spinlock_release(&zone->lock);
}

void zone_count_pageblocks(struct zone *zone, uint64_t counts[MIGRATE_COUNT])
{
    memset(counts, 0, MIGRATE_COUNT * sizeof(counts[0]));
    for (uint64_t pfn = zone->start_pfn; pfn < zone->end_pfn;) {
        uint64_t end = align_down(pfn, MEM_SECTION_PAGES) + MEM_SECTION_PAGES;
        if (end > zone->end_pfn)
            end = zone->end_pfn;
        if (zone->map->sections[pfn / MEM_SECTION_PAGES])
            count_section(zone, pfn, end, counts);
        pfn = end;
    }
    spinlock_acquire(&zone->lock);
    counts[MIGRATE_MOVABLE] += zone->deferred_pages / PAGEBLOCK_PAGES;
    spinlock_release(&zone->lock);
}
