/* SPDX-License-Identifier: MIT */
/* The buddy allocator against a byte a page. */
#include <errno.h>
#include <string.h>

#include "test_memory.h"

#define PAGES      4096u
#define BLOCKS_MAX PAGES

struct block {
    struct page *page;
    unsigned order;
};

static struct mem_map *map;
static struct zone zone;
static bool taken[PAGES]; /* the model */
static uint64_t taken_count;
static struct block blocks[BLOCKS_MAX];
static unsigned block_count;

static uint64_t index_of(const struct page *page)
{
    EXPECT(page->pfn >= TEST_FIRST_PFN && page->pfn < TEST_FIRST_PFN + PAGES);
    return page->pfn - TEST_FIRST_PFN;
}

static void mark(uint64_t index, unsigned order, bool value)
{
    for (uint64_t i = index; i < index + (1UL << order); i++) {
        EXPECT(taken[i] != value);
        taken[i] = value;
    }
    taken_count += value ? 1UL << order : -(1UL << order);
}

/* True if the model has an aligned free block of `order`: then an allocation must not fail. */
static bool model_has_block(unsigned order)
{
    for (uint64_t start = 0; start < PAGES; start += 1UL << order) {
        if (!memchr(&taken[start], true, 1UL << order))
            return true;
    }
    return false;
}

static void step_alloc(void)
{
    unsigned order = random_chance(60) ? (unsigned)random_below(3) : (unsigned)random_below(ORDER_COUNT);
    struct page *page = buddy_alloc(&zone, order, (enum migrate_type)random_below(MIGRATE_COUNT));
    if (!page) {
        EXPECT(!model_has_block(order));
        return;
    }
    EXPECT(index_of(page) % (1UL << order) == 0);
    mark(index_of(page), order, true);
    blocks[block_count++] = (struct block){.page = page, .order = order};
}

static void step_free(void)
{
    if (block_count == 0)
        return;
    unsigned choice = (unsigned)random_below(block_count);
    struct block block = blocks[choice];
    blocks[choice] = blocks[--block_count];
    EXPECT(buddy_free(&zone, block.page, block.order) == 0);
    EXPECT(buddy_free(&zone, block.page, block.order) == -EINVAL);
    mark(index_of(block.page), block.order, false);
}

static void step_wrong_free(void)
{
    struct page *page = test_page(map, random_below(PAGES));
    unsigned order = (unsigned)random_below(ORDER_COUNT + 2);
    for (unsigned i = 0; i < block_count; i++) {
        if (blocks[i].page == page && blocks[i].order == order)
            return;
    }
    EXPECT(buddy_free(&zone, page, order) == -EINVAL);
}

static void step_split(void)
{
    if (block_count == 0)
        return;
    unsigned choice = (unsigned)random_below(block_count);
    struct block block = blocks[choice];
    spinlock_acquire(&zone.lock);
    EXPECT(buddy_split_allocated_locked(&zone, block.page, block.order) == 0);
    spinlock_release(&zone.lock);
    blocks[choice].order = 0;
    for (uint64_t i = 1; i < 1UL << block.order; i++)
        blocks[block_count++] = (struct block){.page = block.page + i};
}

static void verify(void)
{
    EXPECT(buddy_check(&zone) == 0);
    EXPECT(zone.free_pages == PAGES - taken_count);
    EXPECT(zone.managed_pages == PAGES);
}

static void free_everything(void)
{
    struct zone_info info;
    while (block_count > 0)
        step_free();
    verify();
    zone_read_info(&zone, &info);
    uint64_t largest = 0;
    for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++)
        largest += info.free_blocks[MAX_ORDER][migrate];
    EXPECT(taken_count == 0 && largest == PAGES >> MAX_ORDER);
    EXPECT(info.statistics.allocations > 0 && info.statistics.splits > 0 && info.statistics.merges > 0);
}

static void random_model(void)
{
    map = test_map_create();
    test_zone_create(&zone, map, PAGES);
    unsigned fill = 50;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % 500 == 0)
            fill = 20 + (unsigned)random_below(61); /* so that the zone runs both full and empty */
        unsigned choice = (unsigned)random_below(100);
        if (choice < 4)
            step_wrong_free();
        else if (choice < 6)
            step_split();
        else if (random_chance(fill))
            step_alloc();
        else
            step_free();
        verify();
    }
    free_everything();
    test_map_free(map);
}

static const struct test_row rows[] = {
    {"random_model", "allocations never overlap, never fail in vain, and add up after each step", random_model},
};
TEST_MAIN("buddy_random", rows)
