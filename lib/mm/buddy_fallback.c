/* SPDX-License-Identifier: MIT */
/*
 * Where an allocation goes when the free lists of its migrate type are empty. The aim is to mix types in as few
 * pageblocks as possible: the largest block of another type is used first, and where it leaves most of a pageblock to
 * the new type, the pageblock changes its type, so that the next such allocations stay there.
 */
#include "buddy_internal.h"

/* Which types to take from, best first. Movable memory comes last for the types that would pin its pageblocks. */
static const enum migrate_type fallback_order[MIGRATE_COUNT][MIGRATE_COUNT - 1] = {
    [MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
    [MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
    [MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
};

/* From this order on a block is large enough to make its pageblock change sides. */
#define CLAIM_ORDER (PAGEBLOCK_ORDER / 2)

/* The pages that a step from `page` to the next possible block passes. */
static uint64_t block_step(const struct page *page)
{
    return page->flags & (PAGE_FREE | PAGE_ALLOCATED) ? 1UL << page->order : 1;
}

static uint64_t pageblock_free_pages(struct page *first)
{
    uint64_t free_pages = 0;
    for (uint64_t i = 0; i < PAGEBLOCK_PAGES; i += block_step(&first[i])) {
        if (first[i].flags & PAGE_FREE)
            free_pages += 1UL << first[i].order;
    }
    return free_pages;
}

void buddy_claim_pageblock(struct zone *zone, struct page *page, enum migrate_type migrate)
{
    struct page *first = pageblock_first(page);
    for (uint64_t i = 0; i < PAGEBLOCK_PAGES; i += block_step(&first[i])) {
        if (!(first[i].flags & PAGE_FREE) || first[i].migrate == (uint8_t)migrate)
            continue;
        unsigned order = first[i].order;
        buddy_list_remove(zone, &first[i]);
        buddy_list_add(zone, &first[i], order, migrate);
    }
    first->pageblock_migrate = (uint8_t)migrate;
}

/* The largest free block of at least `order` on a list of another type; among equals the best type's. */
static struct page *largest_foreign_block(struct zone *zone, unsigned order, enum migrate_type migrate)
    REQUIRES(zone->lock)
{
    struct page *best = NULL;
    for (unsigned i = 0; i < MIGRATE_COUNT - 1; i++) {
        enum migrate_type other = fallback_order[migrate][i];
        uint32_t usable = zone->nonempty_orders[other] >> order;
        if (!usable)
            continue;
        unsigned largest = order + highest_bit(usable);
        if (!best || largest > best->order)
            best = CONTAINER_OF(list_first(&zone->free_areas[largest].blocks[other]), struct page, link);
    }
    return best;
}

int buddy_largest_foreign_order(struct zone *zone, enum migrate_type migrate)
{
    uint32_t orders = 0;
    for (unsigned i = 0; i < MIGRATE_COUNT - 1; i++)
        orders |= zone->nonempty_orders[fallback_order[migrate][i]];
    return orders ? (int)highest_bit(orders) : -1;
}

struct page *buddy_find_fallback(struct zone *zone, unsigned order, enum migrate_type migrate)
{
    struct page *page = largest_foreign_block(zone, order, migrate);
    if (!page)
        return NULL;
    zone->statistics.fallbacks++;
    unsigned found_order = page->order;
    if (found_order >= PAGEBLOCK_ORDER) {
        buddy_list_remove(zone, page);
        for (uint64_t i = 0; i < 1UL << found_order; i += PAGEBLOCK_PAGES)
            page[i].pageblock_migrate = (uint8_t)migrate;
        buddy_list_add(zone, page, found_order, migrate);
        zone->statistics.steals++;
        return page;
    }
    bool worth = found_order >= CLAIM_ORDER || migrate != MIGRATE_MOVABLE;
    if (worth && pageblock_free_pages(pageblock_first(page)) >= PAGEBLOCK_PAGES / 2) {
        buddy_claim_pageblock(zone, page, migrate);
        zone->statistics.steals++;
    }
    return page;
}
