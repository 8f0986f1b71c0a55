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
    spinlock_init(&zone->lock);
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

void zone_set_watermarks(struct zone *zone, uint64_t min_pages)
{
    zone->watermarks[WATERMARK_MIN] = min_pages;
    zone->watermarks[WATERMARK_LOW] = min_pages + min_pages / 4;
    zone->watermarks[WATERMARK_HIGH] = min_pages + min_pages / 2;
}

bool zone_watermark_ok_locked(struct zone *zone, unsigned order, enum watermark mark, enum zone_type preferred)
{
    uint64_t needed = zone->watermarks[mark] + zone->lowmem_reserve[preferred] + (1UL << order);
    if (order > MAX_ORDER || zone->free_pages < needed)
        return false;
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
    memcpy(info->watermarks, zone->watermarks, sizeof(info->watermarks));

    spinlock_acquire(&zone->lock);
    info->present_pages = zone->present_pages;
    info->managed_pages = zone->managed_pages;
    info->free_pages = zone->free_pages;
    info->statistics = zone->statistics;
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        memcpy(info->free_blocks[order], zone->free_areas[order].count, sizeof(info->free_blocks[order]));
    spinlock_release(&zone->lock);
}
