/* SPDX-License-Identifier: MIT */
/* The walker of the buddy allocator: descriptors first, then free lists, then that both tell the same story. */
#include <errno.h>
#include <string.h>

#include "buddy_internal.h"

/* What the walk over the descriptors finds. */
struct census {
    uint64_t free_blocks[ORDER_COUNT][MIGRATE_COUNT];
    uint64_t free_pages;
    uint64_t managed_pages;
};

/* True if the block at `page` is aligned, lies in the zone and none of its further pages has a state. */
static bool block_is_whole(const struct zone *zone, const struct page *page)
{
    if (page->order > MAX_ORDER || !is_aligned(page->pfn, 1UL << page->order) ||
        page->pfn + (1UL << page->order) > zone->end_pfn || page->zone != (uint8_t)zone->type)
        return false;
    for (uint64_t i = 1; i < 1UL << page->order; i++) {
        if (page[i].flags != 0 || page[i].zone != page->zone)
            return false;
    }
    return true;
}

static bool free_block_is_sound(const struct zone *zone, struct page *page)
{
    if (page->flags != PAGE_FREE || page_refcount(page) != 0 || page->migrate >= MIGRATE_COUNT)
        return false;
    for (uint64_t i = 0; i < 1UL << page->order; i += PAGEBLOCK_PAGES) {
        if (pageblock_type(&page[i]) != (enum migrate_type)page->migrate)
            return false;
    }
    return page->order == MAX_ORDER || !is_free_block(zone, buddy_of(page, page->order), page->order);
}

/* Notes the block or page that starts at `page` and returns its pages; 0 if it is not sound. */
static uint64_t count_block(const struct zone *zone, struct page *page, struct census *census)
{
    uint32_t state = page->flags & PAGE_STATE;
    if (state == PAGE_RESERVED)
        return 1;
    if (!block_is_whole(zone, page))
        return 0;
    uint64_t pages = 1UL << page->order;
    census->managed_pages += pages;
    switch (state) {
    case PAGE_FREE:
        if (!free_block_is_sound(zone, page))
            return 0;
        census->free_blocks[page->order][page->migrate]++;
        census->free_pages += pages;
        return pages;
    case PAGE_ALLOCATED:
        return pages;
    case PAGE_LISTED:
        return page->order == 0 ? 1 : 0;
    default: /* no state, so a page in no block, or several */
        return 0;
    }
}

/* After a page without descriptor. */
static uint64_t next_to_look_at(const struct zone *zone, uint64_t pfn)
{
    uint64_t step = zone->map->sections[pfn / MEM_SECTION_PAGES] ? MEM_SUBSECTION_PAGES : MEM_SECTION_PAGES;
    return align_down(pfn, step) + step;
}

/* The pages that are deferred, or UINT64_MAX if what is deferred makes no sense. */
static uint64_t count_deferred(const struct zone *zone) REQUIRES(zone->lock)
{
    uint64_t pages = 0, end = zone->start_pfn;
    if (zone->deferred_next > zone->deferred_count || zone->deferred_count > DEFERRED_RANGES_MAX)
        return UINT64_MAX;
    for (uint32_t i = zone->deferred_next; i < zone->deferred_count; i++) {
        const struct deferred_range *range = &zone->deferred[i];
        if (range->start_pfn < end || range->start_pfn >= range->end_pfn || range->end_pfn > zone->end_pfn)
            return UINT64_MAX;
        const struct page *page = mem_map_find(zone->map, range->start_pfn);
        if (page && !(page->flags & PAGE_RESERVED))
            return UINT64_MAX;
        pages += range->end_pfn - range->start_pfn;
        end = range->end_pfn;
    }
    return pages;
}

static int walk_descriptors(const struct zone *zone, struct census *census)
{
    for (uint64_t pfn = zone->start_pfn; pfn < zone->end_pfn;) {
        struct page *page = mem_map_find(zone->map, pfn);
        if (!page) {
            pfn = next_to_look_at(zone, pfn);
            continue;
        }
        uint64_t pages = page->pfn == pfn ? count_block(zone, page, census) : 0;
        if (pages == 0)
            return -EIO;
        pfn += pages;
    }
    return 0;
}

static int walk_list(struct zone *zone, unsigned order, unsigned migrate, const struct census *census)
    REQUIRES(zone->lock)
{
    const struct free_area *area = &zone->free_areas[order];
    const struct list *head = &area->blocks[migrate];
    uint64_t blocks = 0;
    for (const struct list *link = head->next; link != head; link = link->next) {
        const struct page *page = CONTAINER_OF(link, struct page, link);
        if (link->next->previous != link || link->previous->next != link || ++blocks > area->count[migrate])
            return -EIO;
        if (!is_free_block(zone, page, order) || page->migrate != migrate)
            return -EIO;
    }
    bool bit = zone->nonempty_orders[migrate] >> order & 1;
    if (blocks != area->count[migrate] || blocks != census->free_blocks[order][migrate] || bit != (blocks > 0))
        return -EIO;
    return 0;
}

int buddy_check_locked(struct zone *zone)
{
    struct census census;
    memset(&census, 0, sizeof(census));
    if (walk_descriptors(zone, &census) != 0)
        return -EIO;
    uint64_t deferred = count_deferred(zone);
    if (census.free_pages != zone->free_pages || deferred != zone->deferred_pages ||
        census.managed_pages + deferred != zone->managed_pages)
        return -EIO;
    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++) {
            if (walk_list(zone, order, migrate, &census) != 0)
                return -EIO;
        }
    }
    return 0;
}

int buddy_check(struct zone *zone)
{
    spinlock_acquire(&zone->lock);
    int error = buddy_check_locked(zone);
    spinlock_release(&zone->lock);
    return error;
}
