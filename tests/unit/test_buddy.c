/* SPDX-License-Identifier: MIT */
/* The buddy allocator: directed cases. The randomized test is in test_buddy_random.c. */
#include <errno.h>

#include "test_memory.h"

#define PAGES 4096u

static struct mem_map *map;
static struct zone zone;

static void start(void)
{
    map = test_map_create();
    test_zone_create(&zone, map, PAGES);
}

static void finish(void)
{
    EXPECT(buddy_check(&zone) == 0);
    test_map_free(map);
}

static uint64_t free_pages(void)
{
    struct zone_info info;
    zone_read_info(&zone, &info);
    return info.free_pages;
}

static uint64_t free_blocks(unsigned order)
{
    struct zone_info info;
    uint64_t blocks = 0;
    zone_read_info(&zone, &info);
    for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++)
        blocks += info.free_blocks[order][migrate];
    return blocks;
}

static void map_holes(void)
{
    map = test_map_create();
    struct page *pages = map->sections[TEST_SECTION];
    EXPECT(mem_map_add_section(map, TEST_SECTION, pages) == -EEXIST);
    EXPECT(mem_map_add_section(map, MEM_SECTION_COUNT, pages) == -EINVAL);
    EXPECT(mem_map_add_section(map, 1, (struct page *)(void *)((char *)pages + 8)) == -EINVAL);
    EXPECT(!mem_map_find(map, TEST_FIRST_PFN - 1) && !mem_map_find(map, TEST_FIRST_PFN + MEM_SECTION_PAGES));
    EXPECT(!mem_map_find(map, MEM_MAP_PFN_END) && !mem_map_find(map, UINT64_MAX));
    EXPECT(mem_map_find(map, TEST_FIRST_PFN) == pages);
    for (uint64_t i = 0; i < MEM_SECTION_PAGES; i++)
        EXPECT(page_pfn(test_page(map, i)) == TEST_FIRST_PFN + i && test_page(map, i)->flags == PAGE_RESERVED);
    test_map_free(map);
}

static void zone_arguments(void)
{
    map = test_map_create();
    uint64_t first = TEST_FIRST_PFN;
    EXPECT(zone_init(&zone, ZONE_COUNT, map, first, first + 1024) == -EINVAL);
    EXPECT(zone_init(&zone, ZONE_DMA, map, first + 1024, first) == -EINVAL);
    EXPECT(zone_init(&zone, ZONE_DMA, map, first + 512, first + 1024) == -EINVAL);
    EXPECT(zone_init(&zone, ZONE_DMA, map, first, first + 1023) == -EINVAL);
    EXPECT(zone_init(&zone, ZONE_DMA, map, first, MEM_MAP_PFN_END + 1024) == -EINVAL);
    EXPECT(zone_init(&zone, ZONE_DMA, map, first, first) == 0);
    EXPECT(buddy_check(&zone) == 0 && !buddy_alloc(&zone, 0, MIGRATE_MOVABLE));
    test_map_free(map);
}

static void add_range_arguments(void)
{
    map = test_map_create();
    uint64_t first = TEST_FIRST_PFN;
    EXPECT(zone_init(&zone, ZONE_NORMAL, map, first, first + MEM_SECTION_PAGES + 1024) == 0);
    EXPECT(buddy_add_range(&zone, first, first, MIGRATE_MOVABLE) == -EINVAL);
    EXPECT(buddy_add_range(&zone, first - 1, first + 1, MIGRATE_MOVABLE) == -EINVAL);
    EXPECT(buddy_add_range(&zone, first, zone.end_pfn + 1, MIGRATE_MOVABLE) == -EINVAL);
    EXPECT(buddy_add_range(&zone, first, first + 1, MIGRATE_COUNT) == -EINVAL);
    uint64_t hole = first + MEM_SECTION_PAGES;
    EXPECT(buddy_add_range(&zone, hole - 1, hole + 1, MIGRATE_MOVABLE) == -EINVAL);
    EXPECT(zone.free_pages == 0);
    EXPECT(buddy_add_range(&zone, first + 3, first + 1001, MIGRATE_MOVABLE) == 0);
    EXPECT(buddy_add_range(&zone, first + 1000, first + 1002, MIGRATE_MOVABLE) == -EINVAL);
    EXPECT(zone.free_pages == 998 && zone.managed_pages == 998);
    EXPECT(buddy_add_range(&zone, first, first + 3, MIGRATE_UNMOVABLE) == 0);
    EXPECT(buddy_add_range(&zone, first + 1001, first + 1024, MIGRATE_RECLAIMABLE) == 0);
    EXPECT(free_blocks(MAX_ORDER) == 1);
    finish();
}

static void alloc_every_order(void)
{
    start();
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        struct page *page = buddy_alloc(&zone, order, MIGRATE_MOVABLE);
        EXPECT(page && page->pfn % (1UL << order) == 0 && page->order == order);
        EXPECT(page->flags == PAGE_ALLOCATED && page_refcount(page) == 1 && page_mapcount(page) == 0);
        EXPECT(free_pages() == PAGES - (1UL << order) && buddy_check(&zone) == 0);
        EXPECT(buddy_free(&zone, page, order) == 0);
        EXPECT(free_pages() == PAGES && free_blocks(MAX_ORDER) == PAGES >> MAX_ORDER);
    }
    EXPECT(!buddy_alloc(&zone, MAX_ORDER + 1, MIGRATE_MOVABLE));
    EXPECT(!buddy_alloc(&zone, 0, MIGRATE_COUNT));
    finish();
}

static void exhaust_and_merge(void)
{
    start();
    for (unsigned i = 0; i < PAGES; i++)
        EXPECT(buddy_alloc(&zone, 0, (enum migrate_type)(i % MIGRATE_COUNT)));
    EXPECT(!buddy_alloc(&zone, 0, MIGRATE_MOVABLE) && free_pages() == 0 && buddy_check(&zone) == 0);
    for (unsigned i = 0; i < PAGES; i += 2)
        EXPECT(buddy_free(&zone, test_page(map, i), 0) == 0);
    EXPECT(!buddy_alloc(&zone, 1, MIGRATE_MOVABLE) && free_blocks(0) == PAGES / 2);
    for (unsigned i = 1; i < PAGES; i += 2)
        EXPECT(buddy_free(&zone, test_page(map, i), 0) == 0);
    EXPECT(free_blocks(MAX_ORDER) == PAGES >> MAX_ORDER);
    finish();
}

static void wrong_frees(void)
{
    start();
    struct page *page = buddy_alloc(&zone, 3, MIGRATE_MOVABLE);
    EXPECT(buddy_free(&zone, page, 2) == -EINVAL && buddy_free(&zone, page, 4) == -EINVAL);
    EXPECT(buddy_free(&zone, page + 1, 0) == -EINVAL);
    EXPECT(buddy_free(&zone, test_page(map, PAGES), 0) == -EINVAL); /* reserved */
    page_get(page);
    EXPECT(buddy_free(&zone, page, 3) == -EBUSY && !page_put(page));
    page_add_mappings(page, 2);
    EXPECT(buddy_free(&zone, page, 3) == -EBUSY);
    page_remove_mappings(page, 2);
    EXPECT(free_pages() == PAGES - 8 && page_put(page));
    EXPECT(buddy_free(&zone, page, 3) == 0);
    EXPECT(buddy_free(&zone, page, 3) == -EINVAL);
    EXPECT(buddy_free(&zone, page, MAX_ORDER) == -EINVAL);
    EXPECT(free_pages() == PAGES);
    finish();
}

static void split_allocated(void)
{
    start();
    struct page *page = buddy_alloc(&zone, 4, MIGRATE_UNMOVABLE);
    page->flags |= PAGE_OBJECT | PAGE_HUGE;
    page->owner = &map;
    page->index = 77;
    spinlock_acquire(&zone.lock);
    EXPECT(buddy_split_allocated_locked(&zone, page, 3) == -EINVAL);
    EXPECT(buddy_split_allocated_locked(&zone, page, 4) == 0);
    EXPECT(buddy_split_allocated_locked(&zone, page, 4) == -EINVAL);
    spinlock_release(&zone.lock);
    EXPECT(buddy_free(&zone, page, 4) == -EINVAL);
    for (unsigned i = 0; i < 16; i++) {
        EXPECT(page[i].flags == (PAGE_ALLOCATED | PAGE_OBJECT) && page_refcount(&page[i]) == 1);
        EXPECT(page[i].owner == &map && page[i].index == 77 + i);
        EXPECT(buddy_free(&zone, &page[i], 0) == 0 && buddy_check(&zone) == 0);
    }
    EXPECT(free_blocks(MAX_ORDER) == PAGES >> MAX_ORDER);
    finish();
}

static void zones_do_not_merge(void)
{
    map = test_map_create();
    struct zone upper;
    uint64_t first = TEST_FIRST_PFN, border = first + 1024;
    EXPECT(zone_init(&zone, ZONE_DMA, map, first, border) == 0);
    EXPECT(zone_init(&upper, ZONE_NORMAL, map, border, border + 1024) == 0);
    EXPECT(buddy_add_range(&zone, border - 512, border, MIGRATE_MOVABLE) == 0);
    EXPECT(buddy_add_range(&upper, border, border + 512, MIGRATE_MOVABLE) == 0);
    EXPECT(buddy_check(&zone) == 0 && buddy_check(&upper) == 0);
    struct page *page = buddy_alloc(&upper, 0, MIGRATE_MOVABLE);
    EXPECT(page && page->pfn >= border && buddy_free(&zone, page, 0) == -EINVAL);
    EXPECT(buddy_free(&upper, page, 0) == 0 && buddy_check(&upper) == 0);
    finish();
}

static void fallback_takes_whole_pageblock(void)
{
    start();
    struct page *page = buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE);
    EXPECT(page && zone.statistics.fallbacks == 1 && zone.statistics.steals == 1);
    for (unsigned i = 1; i < PAGEBLOCK_PAGES; i++)
        EXPECT(buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE));
    EXPECT(zone.statistics.fallbacks == 1);
    EXPECT(buddy_alloc(&zone, 0, MIGRATE_MOVABLE)->pfn / PAGEBLOCK_PAGES != page->pfn / PAGEBLOCK_PAGES);
    finish();
}

static void fallback_leaves_used_pageblock(void)
{
    start();
    struct page *pages[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        pages[i] = buddy_alloc(&zone, 0, MIGRATE_MOVABLE);
    EXPECT(buddy_free(&zone, pages[100], 0) == 0);
    struct page *page = buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE);
    EXPECT(page == pages[100] && zone.statistics.fallbacks == 1 && zone.statistics.steals == 0);
    EXPECT(buddy_free(&zone, page, 0) == 0);
    struct zone_info info;
    zone_read_info(&zone, &info);
    EXPECT(info.free_blocks[0][MIGRATE_MOVABLE] == 1);
    finish();
}

/* Small movable blocks are borrowed: a pageblock of the other type keeps its type, however free it is. */
static void fallback_borrows_small_blocks(void)
{
    map = test_map_create();
    EXPECT(zone_init(&zone, ZONE_NORMAL, map, TEST_FIRST_PFN, TEST_FIRST_PFN + 1024) == 0);
    for (unsigned i = 0; i < 512; i += 2)
        EXPECT(buddy_add_range(&zone, TEST_FIRST_PFN + i, TEST_FIRST_PFN + i + 1, MIGRATE_UNMOVABLE) == 0);
    struct page *page = buddy_alloc(&zone, 0, MIGRATE_MOVABLE);
    EXPECT(page && zone.statistics.fallbacks == 1 && zone.statistics.steals == 0);
    EXPECT(buddy_free(&zone, page, 0) == 0);
    EXPECT(zone.free_areas[0].count[MIGRATE_UNMOVABLE] == 256);
    finish();
}

static void watermarks(void)
{
    start();
    zone.watermarks[WATERMARK_MIN] = 400;
    zone.watermarks[WATERMARK_LOW] = 500;
    zone.watermarks[WATERMARK_HIGH] = 600;
    spinlock_acquire(&zone.lock);
    EXPECT(zone_watermark_ok_locked(&zone, MAX_ORDER, WATERMARK_HIGH, ZONE_NORMAL, 0));
    EXPECT(!zone_watermark_ok_locked(&zone, MAX_ORDER + 1, WATERMARK_MIN, ZONE_NORMAL, 0));
    zone.lowmem_reserve[ZONE_NORMAL] = PAGES - 400 - 8;
    EXPECT(zone_watermark_ok_locked(&zone, 3, WATERMARK_MIN, ZONE_NORMAL, 0));
    EXPECT(!zone_watermark_ok_locked(&zone, 4, WATERMARK_MIN, ZONE_NORMAL, 0));
    EXPECT(!zone_watermark_ok_locked(&zone, 0, WATERMARK_LOW, ZONE_NORMAL, 0));
    EXPECT(zone_watermark_ok_locked(&zone, 0, WATERMARK_LOW, ZONE_DMA, 0));
    zone.lowmem_reserve[ZONE_NORMAL] = 0;
    spinlock_release(&zone.lock);
    for (unsigned i = 0; i < PAGES; i++)
        EXPECT(buddy_alloc(&zone, 0, MIGRATE_MOVABLE));
    for (unsigned i = 0; i < PAGES; i += 2)
        EXPECT(buddy_free(&zone, test_page(map, i), 0) == 0);
    spinlock_acquire(&zone.lock);
    EXPECT(zone_watermark_ok_locked(&zone, 0, WATERMARK_HIGH, ZONE_NORMAL, 0));
    EXPECT(!zone_watermark_ok_locked(&zone, 1, WATERMARK_HIGH, ZONE_NORMAL, 0)); /* enough pages, no such block */
    spinlock_release(&zone.lock);
    finish();
}

/* Breaks one thing, wants the walker to notice, and repairs it. */
#define EXPECT_NOTICED(field, value)                                                                                   \
    do {                                                                                                               \
        __typeof__(field) kept = (field);                                                                              \
        (field) = (value);                                                                                             \
        EXPECT(buddy_check(&zone) == -EIO);                                                                            \
        (field) = kept;                                                                                                \
        EXPECT(buddy_check(&zone) == 0);                                                                               \
    } while (0)

static void walker_notices(void)
{
    start();
    struct page *allocated = buddy_alloc(&zone, 2, MIGRATE_MOVABLE);
    struct page *free_page = CONTAINER_OF(list_first(&zone.free_areas[3].blocks[MIGRATE_MOVABLE]), struct page, link);
    EXPECT_NOTICED(zone.free_pages, zone.free_pages + 1);
    EXPECT_NOTICED(zone.managed_pages, zone.managed_pages - 1);
    EXPECT_NOTICED(zone.free_areas[3].count[MIGRATE_MOVABLE], 2);
    EXPECT_NOTICED(zone.nonempty_orders[MIGRATE_MOVABLE], 0);
    EXPECT_NOTICED(free_page->order, 2);
    EXPECT_NOTICED(free_page->migrate, MIGRATE_UNMOVABLE);
    EXPECT_NOTICED(free_page->flags, PAGE_FREE | PAGE_ALLOCATED);
    EXPECT_NOTICED(free_page->flags, 0);
    EXPECT_NOTICED(free_page->refcount, 1);
    EXPECT_NOTICED(free_page->link.next, &free_page->link);
    EXPECT_NOTICED(free_page[1].flags, PAGE_ALLOCATED);
    EXPECT_NOTICED(allocated->order, 3);
    EXPECT_NOTICED(allocated->zone, ZONE_DMA);
    EXPECT_NOTICED(allocated->pfn, 7);
    EXPECT_NOTICED(allocated->flags, PAGE_LISTED);
    EXPECT_NOTICED(allocated[3].flags, PAGE_FREE);
    EXPECT_NOTICED(test_page(map, 0)->pageblock_migrate, MIGRATE_RECLAIMABLE);
    finish();
}

static const struct test_row rows[] = {
    {"map_holes", "only pages of a section with descriptors have one", map_holes},
    {"zone_arguments", "a zone refuses bad ranges and types; an empty zone works", zone_arguments},
    {"add_range_arguments", "pages are given once, inside the zone, and merge across calls", add_range_arguments},
    {"alloc_every_order", "blocks are aligned and counted at each order", alloc_every_order},
    {"exhaust_and_merge", "each page can be had once, and all merge again", exhaust_and_merge},
    {"wrong_frees", "double, partial, misplaced and early frees are refused", wrong_frees},
    {"split_allocated", "an allocated block splits into pages that are freed one by one", split_allocated},
    {"zones_do_not_merge", "blocks of neighbouring zones stay apart", zones_do_not_merge},
    {"fallback_takes_whole_pageblock", "a free pageblock changes its type", fallback_takes_whole_pageblock},
    {"fallback_leaves_used_pageblock", "a mostly used pageblock keeps its type", fallback_leaves_used_pageblock},
    {"fallback_borrows_small_blocks", "a small movable block does not take a pageblock over",
     fallback_borrows_small_blocks},
    {"watermarks", "pages, reserves and block sizes all count", watermarks},
    {"walker_notices", "the walker sees each kind of damage", walker_notices},
};
TEST_MAIN("buddy", rows)
