/* SPDX-License-Identifier: MIT */
/*
 * Memory comes to the buddy allocator, at once or deferred. Deferred memory costs nothing until it is needed: on a
 * large machine most descriptors are not written before a program touches that much memory.
 */
#include <errno.h>

#include "buddy_internal.h"

static bool range_is_in_zone(const struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    return start_pfn < end_pfn && start_pfn >= zone->start_pfn && end_pfn <= zone->end_pfn;
}

static bool range_can_be_added(const struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    if (!range_is_in_zone(zone, start_pfn, end_pfn))
        return false;
    for (uint64_t pfn = start_pfn; pfn < end_pfn; pfn++) {
        const struct page *page = mem_map_find(zone->map, pfn);
        if (!page || !(page->flags & PAGE_RESERVED))
            return false;
    }
    return true;
}

/* Makes reserved pages, whose descriptors are there, free. */
static void release_range(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn, enum migrate_type migrate)
    REQUIRES(zone->lock)
{
    for (uint64_t pfn = start_pfn; pfn < end_pfn;) {
        struct page *page = mem_map_page(zone->map, pfn);
        if (pfn == start_pfn || pfn % PAGEBLOCK_PAGES == 0)
            buddy_claim_pageblock(zone, page, migrate);
        /* The largest aligned block of at most a pageblock: larger ones come from merging. */
        unsigned order = pfn ? lowest_bit(pfn) : PAGEBLOCK_ORDER;
        if (order > PAGEBLOCK_ORDER)
            order = PAGEBLOCK_ORDER;
        while (order > 0 && pfn + (1UL << order) > end_pfn)
            order--;
        for (uint64_t i = 0; i < 1UL << order; i++) {
            page[i].flags = 0;
            page[i].zone = (uint8_t)zone->type;
        }
        buddy_release_block(zone, page, order);
        pfn += 1UL << order;
    }
}

int buddy_add_range_locked(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn, enum migrate_type migrate)
{
    if ((unsigned)migrate >= MIGRATE_COUNT || !range_can_be_added(zone, start_pfn, end_pfn))
        return -EINVAL;
    release_range(zone, start_pfn, end_pfn, migrate);
    zone->managed_pages += end_pfn - start_pfn;
    CHECK_DEEP(buddy_check_locked(zone) == 0);
    return 0;
}

static bool range_has_sections(const struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    for (uint64_t section = start_pfn / MEM_SECTION_PAGES; section <= (end_pfn - 1) / MEM_SECTION_PAGES; section++) {
        if (!zone->map->sections[section])
            return false;
    }
    return true;
}

int buddy_defer_range_locked(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    if (!range_is_in_zone(zone, start_pfn, end_pfn) || !range_has_sections(zone, start_pfn, end_pfn))
        return -EINVAL;
    if (zone->deferred_count && start_pfn < zone->deferred[zone->deferred_count - 1].end_pfn)
        return -EINVAL;
    if (zone->deferred_count == DEFERRED_RANGES_MAX)
        return -ENOSPC;
    zone->deferred[zone->deferred_count++] = (struct deferred_range){start_pfn, end_pfn};
    zone->deferred_pages += end_pfn - start_pfn;
    zone->managed_pages += end_pfn - start_pfn;
    return 0;
}

/* A whole subsection is one block and is written once. */
static void add_subsection(struct zone *zone, uint64_t pfn) REQUIRES(zone->lock)
{
    mem_map_write_subsection(zone->map, pfn, (struct page_initial){.flags = 0, .zone = (uint8_t)zone->type});
    struct page *page = mem_map_page(zone->map, pfn);
    for (uint64_t i = 0; i < MEM_SUBSECTION_PAGES; i += PAGEBLOCK_PAGES)
        page[i].pageblock_migrate = MIGRATE_MOVABLE;
    buddy_list_add(zone, page, MAX_ORDER, MIGRATE_MOVABLE);
}

bool buddy_grow_locked(struct zone *zone)
{
    if (zone->deferred_next == zone->deferred_count)
        return false;
    struct deferred_range *range = &zone->deferred[zone->deferred_next];
    uint64_t start = range->start_pfn;
    uint64_t end = align_down(start, MEM_SUBSECTION_PAGES) + MEM_SUBSECTION_PAGES;
    if (end > range->end_pfn)
        end = range->end_pfn;
    range->start_pfn = end;
    if (end == range->end_pfn)
        zone->deferred_next++;
    zone->deferred_pages -= end - start;

    bool written = mem_map_present(zone->map, start);
    if (!written && end - start == MEM_SUBSECTION_PAGES) {
        add_subsection(zone, start);
    } else {
        const struct page_initial reserved = {.flags = PAGE_RESERVED};
        if (!written)
            mem_map_write_subsection(zone->map, align_down(start, MEM_SUBSECTION_PAGES), reserved);
        release_range(zone, start, end, MIGRATE_MOVABLE);
    }
    CHECK_DEEP(buddy_check_locked(zone) == 0);
    return true;
}

int buddy_add_range(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn, enum migrate_type migrate)
{
    spinlock_acquire(&zone->lock);
    int error = buddy_add_range_locked(zone, start_pfn, end_pfn, migrate);
    spinlock_release(&zone->lock);
    return error;
}

int buddy_defer_range(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    spinlock_acquire(&zone->lock);
    int error = buddy_defer_range_locked(zone, start_pfn, end_pfn);
    spinlock_release(&zone->lock);
    return error;
}
