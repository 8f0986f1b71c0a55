/* SPDX-License-Identifier: MIT */
/* The buddy allocator: splitting, merging, and the free lists. */
#include <errno.h>

#include "buddy_internal.h"

void buddy_list_add(struct zone *zone, struct page *page, unsigned order, enum migrate_type migrate)
{
    struct free_area *area = &zone->free_areas[order];
    page->flags = PAGE_FREE;
    page->order = (uint8_t)order;
    page->migrate = (uint8_t)migrate;
    list_push_front(&area->blocks[migrate], &page->link);
    area->count[migrate]++;
    zone->nonempty_orders[migrate] |= 1u << order;
    zone->free_pages += 1UL << order;
}

void buddy_list_remove(struct zone *zone, struct page *page)
{
    struct free_area *area = &zone->free_areas[page->order];
    ASSERT(page->flags == PAGE_FREE && area->count[page->migrate] > 0);
    list_remove(&page->link);
    page->flags = 0;
    zone->free_pages -= 1UL << page->order;
    if (--area->count[page->migrate] == 0)
        zone->nonempty_orders[page->migrate] &= ~(1u << page->order);
}

/* Gives every pageblock of a block that is at least as large as one the type of the first. All of it is free, so
 * nothing has to move. */
static void unify_pageblocks(struct page *page, unsigned order)
{
    enum migrate_type migrate = pageblock_type(page);
    for (uint64_t i = PAGEBLOCK_PAGES; i < 1UL << order; i += PAGEBLOCK_PAGES)
        page[i].pageblock_migrate = (uint8_t)migrate;
}

void buddy_release_block(struct zone *zone, struct page *page, unsigned order)
{
    while (order < MAX_ORDER) {
        struct page *buddy = buddy_of(page, order);
        if (!is_free_block(zone, buddy, order))
            break;
        buddy_list_remove(zone, buddy);
        if (buddy < page)
            page = buddy;
        order++;
        zone->statistics.merges++;
    }
    if (order > PAGEBLOCK_ORDER)
        unify_pageblocks(page, order);
    buddy_list_add(zone, page, order, pageblock_type(page));
}

/* Cuts a block without state down to `order`; the upper halves become free. */
static void split_block(struct zone *zone, struct page *page, unsigned from, unsigned order) REQUIRES(zone->lock)
{
    while (from > order) {
        from--;
        struct page *upper = page + (1UL << from);
        buddy_list_add(zone, upper, from, pageblock_type(upper));
        zone->statistics.splits++;
    }
}

/* The smallest free block of at least `order` on the type's own lists. */
static inline struct page *smallest_block(struct zone *zone, unsigned order, enum migrate_type migrate)
    REQUIRES(zone->lock)
{
    uint32_t usable = zone->nonempty_orders[migrate] >> order;
    if (!usable)
        return NULL;
    struct list *first = list_first(&zone->free_areas[order + lowest_bit(usable)].blocks[migrate]);
    return CONTAINER_OF(first, struct page, link);
}

/* The type's own lists have nothing: another type's whole pageblock, else memory that nobody had yet, else what other
 * types have left. */
static struct page *find_further(struct zone *zone, unsigned order, enum migrate_type migrate) REQUIRES(zone->lock)
{
    while (buddy_largest_foreign_order(zone, migrate) < (int)PAGEBLOCK_ORDER && buddy_grow_locked(zone)) {
        struct page *page = smallest_block(zone, order, migrate);
        if (page)
            return page;
    }
    return buddy_find_fallback(zone, order, migrate);
}

struct page *buddy_alloc_locked(struct zone *zone, unsigned order, enum migrate_type migrate)
{
    if (order > MAX_ORDER || (unsigned)migrate >= MIGRATE_COUNT)
        return NULL;
    struct page *page = smallest_block(zone, order, migrate);
    if (!page)
        page = find_further(zone, order, migrate);
    if (!page)
        return NULL;
    unsigned found_order = page->order;
    buddy_list_remove(zone, page);
    split_block(zone, page, found_order, order);
    buddy_mark_allocated(page, order, migrate);
    zone->statistics.allocations++;
    return page;
}

/* True if an allocated block of exactly `order` starts at `page` and is of this zone. */
static bool is_allocated_block(const struct zone *zone, const struct page *page, unsigned order)
{
    return (page->flags & PAGE_STATE) == PAGE_ALLOCATED && page->order == order && page->zone == (uint8_t)zone->type;
}

int buddy_free_locked(struct zone *zone, struct page *page, unsigned order)
{
    if (!is_allocated_block(zone, page, order))
        return -EINVAL;
    if (page_refcount(page) > 1 || page_mapcount(page) != 0)
        return -EBUSY;
    page_set_refcount(page, 0);
    page->flags = 0;
    buddy_release_block(zone, page, order);
    zone->statistics.frees++;
    return 0;
}

int buddy_split_allocated_locked(struct zone *zone, struct page *page, unsigned order)
{
    if (!is_allocated_block(zone, page, order))
        return -EINVAL;
    const uint32_t flags = PAGE_ALLOCATED | (page->flags & PAGE_OWNER_FLAGS & ~PAGE_HUGE);
    for (uint64_t i = 1; i < 1UL << order; i++) {
        struct page *part = &page[i];
        part->order = 0;
        part->migrate = page->migrate;
        page_set_refcount(part, 1);
        __atomic_store_n(&part->mapcount, 0, __ATOMIC_RELAXED);
        part->owner = page->owner;
        part->index = page->index + i;
        __atomic_store_n(&part->flags, flags, __ATOMIC_RELEASE);
    }
    page->order = 0;
    __atomic_store_n(&page->flags, flags, __ATOMIC_RELEASE);
    return 0;
}

struct page *buddy_alloc(struct zone *zone, unsigned order, enum migrate_type migrate)
{
    spinlock_acquire(&zone->lock);
    struct page *page = buddy_alloc_locked(zone, order, migrate);
    spinlock_release(&zone->lock);
    return page;
}

int buddy_free(struct zone *zone, struct page *page, unsigned order)
{
    spinlock_acquire(&zone->lock);
    int error = buddy_free_locked(zone, page, order);
    spinlock_release(&zone->lock);
    return error;
}
