/* SPDX-License-Identifier: MIT */
/* Many single pages at a time: they are the same pages that one call each would give and take. */
#include <errno.h>
#include <string.h>

#include <mm/buddy.h>

#include "test_memory.h"

#define PAGES 4096u

static struct mem_map *map;
static struct zone zone;
static struct page *held[PAGES];
static uint32_t held_count;

static void start(void)
{
    map = test_map_create();
    test_zone_create(&zone, map, PAGES);
    held_count = 0;
}

static uint32_t take(uint32_t count)
{
    spinlock_acquire(&zone.lock);
    uint32_t taken = buddy_alloc_pages_locked(&zone, MIGRATE_MOVABLE, held + held_count, count);
    spinlock_release(&zone.lock);
    for (uint32_t i = 0; i < taken; i++) {
        struct page *page = held[held_count + i];
        EXPECT(page->flags == PAGE_ALLOCATED && page->order == 0 && page->owner == NULL);
        EXPECT(page_refcount(page) == 1 && page_mapcount(page) == 0);
        page->owner = &zone; /* no page is given twice */
    }
    held_count += taken;
    return taken;
}

/* Gives back the last `count` pages that are held. */
static void give(uint32_t count)
{
    held_count -= count;
    for (uint32_t i = 0; i < count; i++)
        held[held_count + i]->owner = NULL;
    spinlock_acquire(&zone.lock);
    buddy_free_pages_locked(&zone, held + held_count, count);
    spinlock_release(&zone.lock);
}

static void finish(void)
{
    give(held_count);
    EXPECT(buddy_check(&zone) == 0 && zone.free_pages == PAGES);
    test_map_free(map);
}

static void all_and_nothing(void)
{
    start();
    EXPECT(take(0) == 0 && take(PAGES) == PAGES && take(1) == 0);
    EXPECT(zone.free_pages == 0 && buddy_check(&zone) == 0);
    finish();
}

static void small_blocks_first(void)
{
    start();
    struct page *pair = buddy_alloc(&zone, 1, MIGRATE_MOVABLE);
    EXPECT(take(1) == 1); /* splits; now there are blocks of all orders from 0 on */
    uint64_t large = zone.free_areas[MAX_ORDER].count[MIGRATE_MOVABLE];
    EXPECT(take(32) == 32);
    EXPECT(zone.free_areas[MAX_ORDER].count[MIGRATE_MOVABLE] == large && buddy_check(&zone) == 0);
    EXPECT(buddy_free(&zone, pair, 1) == 0);
    finish();
}

static void consecutive_pages(void)
{
    start();
    EXPECT(take(32) == 32);
    for (uint32_t i = 1; i < 32; i++)
        EXPECT(held[i] == held[i - 1] + 1);
    finish();
}

static void swap(uint32_t i, uint32_t j)
{
    struct page *page = held[i];
    held[i] = held[j];
    held[j] = page;
}

/* Mixes the order of what is held: here and there, or a range turned round. */
static void mix(void)
{
    if (held_count < 2)
        return;
    uint32_t first = (uint32_t)random_below(held_count), last = (uint32_t)random_below(held_count);
    if (random_chance(50)) {
        swap(first, last);
        return;
    }
    for (; first < last; first++, last--)
        swap(first, last);
}

static void random_order(void)
{
    start();
    uint64_t steps = test_steps();
    for (test_step = 0; test_step < steps; test_step++) {
        uint32_t count = (uint32_t)random_below(64);
        if (random_chance(10))
            mix();
        else if (random_chance(50))
            EXPECT(take(count < PAGES - held_count ? count : PAGES - held_count) <= count);
        else
            give(count < held_count ? count : held_count);
        EXPECT(zone.free_pages + held_count == PAGES);
        if (test_step % 1000 == 0)
            EXPECT(buddy_check(&zone) == 0);
    }
    finish();
}

static const struct test_row rows[] = {
    {"all_and_nothing", "a zone gives all its pages and then none", all_and_nothing},
    {"small_blocks_first", "large blocks stay whole while there are small ones", small_blocks_first},
    {"consecutive_pages", "the pages of a block come in order", consecutive_pages},
    {"random_order", "pages come back in any order and merge to what they were", random_order},
};
TEST_MAIN("buddy_bulk", rows)
