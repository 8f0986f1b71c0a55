/* SPDX-License-Identifier: MIT */
/*
 * What the files of the buddy allocator share. In every call zone->lock is held.
 *
 * The rule that keeps the lists simple: a free block lies on the list of its pageblock's migrate type, and all
 * pageblocks of a block that is larger than one have the same type.
 */
#ifndef MM_BUDDY_INTERNAL_H
#define MM_BUDDY_INTERNAL_H

#include <base/bits.h>
#include <mm/buddy.h>

/* The first page of the page's pageblock. Sections are larger than blocks, so plain arithmetic finds it. */
static inline struct page *pageblock_first(struct page *page)
{
    return page - page->pfn % PAGEBLOCK_PAGES;
}

static inline enum migrate_type pageblock_type(struct page *page)
{
    return (enum migrate_type)pageblock_first(page)->pageblock_migrate;
}

/* The block of the same order that `page`'s block would merge with, free or not. */
static inline struct page *buddy_of(struct page *page, unsigned order)
{
    uint64_t buddy_pfn = page->pfn ^ (1UL << order);
    return page + ((int64_t)buddy_pfn - (int64_t)page->pfn);
}

/* True if a free block of exactly this order starts at `page` and is of this zone. */
static inline bool is_free_block(const struct zone *zone, const struct page *page, unsigned order)
{
    return (page->flags & PAGE_FREE) && page->order == order && page->zone == (uint8_t)zone->type;
}

/* Gives the first page of a block without state the state of an allocated one with one holder. */
static inline void buddy_mark_allocated(struct page *page, unsigned order, enum migrate_type migrate)
{
    page->flags = PAGE_ALLOCATED;
    page->order = (uint8_t)order;
    page->migrate = (uint8_t)migrate;
    page_set_refcount(page, 1);
    __atomic_store_n(&page->mapcount, 0, __ATOMIC_RELAXED);
}

/* Makes a block without state free, merged with its free buddies as far as that goes. */
void buddy_release_block(struct zone *zone, struct page *page, unsigned order) REQUIRES(zone->lock);

/* Puts a block that is on no list on the list of `migrate`, in front; counts it. */
void buddy_list_add(struct zone *zone, struct page *page, unsigned order, enum migrate_type migrate)
    REQUIRES(zone->lock);

/* Takes a free block off its list; it then has no state. */
void buddy_list_remove(struct zone *zone, struct page *page) REQUIRES(zone->lock);

/* Moves all free blocks of the page's pageblock to the lists of `migrate` and gives it that type. The pageblock holds
 * no part of a block that is larger than it. */
void buddy_claim_pageblock(struct zone *zone, struct page *page, enum migrate_type migrate) REQUIRES(zone->lock);

/* The order of the largest free block of other types; -1: they have none. */
int buddy_largest_foreign_order(struct zone *zone, enum migrate_type migrate) REQUIRES(zone->lock);

/* Finds a free block of at least `order` on other types' lists and puts it, or its whole pageblock if that is worth
 * it, on the list of `migrate`. Returns the block, still on a list; NULL if there is none. */
struct page *buddy_find_fallback(struct zone *zone, unsigned order, enum migrate_type migrate) REQUIRES(zone->lock);

#endif
