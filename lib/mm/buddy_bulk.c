/* SPDX-License-Identifier: MIT */
/* Many single pages at a time: whole blocks are taken apart, and runs put together again, without the steps between. */
#include "buddy_internal.h"

/* Takes a block of at most `most` pages; *order tells its size. NULL: the zone is empty. */
static struct page *take_small_block(struct zone *zone, enum migrate_type migrate, uint32_t most, unsigned *order)
    REQUIRES(zone->lock)
{
    uint32_t orders = zone->nonempty_orders[migrate];
    *order = highest_bit(most);
    if (!orders)
        *order = 0; /* what other types have left is taken page by page */
    else if (lowest_bit(orders) < *order)
        *order = lowest_bit(orders);
    return buddy_alloc_locked(zone, *order, migrate);
}

uint32_t buddy_alloc_pages_locked(struct zone *zone, enum migrate_type migrate, struct page *pages[], uint32_t count)
{
    uint32_t taken = 0;
    if ((unsigned)migrate >= MIGRATE_COUNT)
        return 0;
    while (taken < count) {
        unsigned order;
        struct page *block = take_small_block(zone, migrate, count - taken, &order);
        if (!block)
            break;
        for (uint32_t i = 0; i < 1u << order; i++) {
            buddy_mark_allocated(&block[i], 0, migrate);
            pages[taken++] = &block[i];
        }
    }
    return taken;
}

/* The length of the run of consecutive pages at the start of pages[]; *down tells its direction. */
static uint32_t run_length(struct page *const pages[], uint32_t count, bool *down)
{
    uint32_t length = 1;
    *down = count > 1 && pages[1] + 1 == pages[0];
    int64_t step = *down ? -1 : 1;
    while (length < count && pages[length] == pages[length - 1] + step)
        length++;
    return length;
}

/* Frees `count` consecutive pages, which are in one section, in blocks that are as large as their place allows. */
static void free_run(struct zone *zone, struct page *first, uint32_t count) REQUIRES(zone->lock)
{
    while (count) {
        unsigned order = highest_bit(count);
        if (first->pfn && lowest_bit(first->pfn) < order)
            order = lowest_bit(first->pfn);
        for (uint32_t i = 0; i < 1u << order; i++) {
            ASSERT((first[i].flags & PAGE_STATE) == PAGE_ALLOCATED && first[i].order == 0);
            ASSERT(first[i].zone == (uint8_t)zone->type && page_refcount(&first[i]) <= 1);
            first[i].flags = 0;
            page_set_refcount(&first[i], 0);
        }
        buddy_release_block(zone, first, order);
        first += 1UL << order;
        count -= 1u << order;
    }
}

void buddy_free_pages_locked(struct zone *zone, struct page *const pages[], uint32_t count)
{
    zone->statistics.frees += count;
    while (count) {
        bool down;
        uint32_t length = run_length(pages, count, &down);
        free_run(zone, down ? pages[length - 1] : pages[0], length);
        pages += length;
        count -= length;
    }
}
