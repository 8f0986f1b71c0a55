/* SPDX-License-Identifier: MIT */
/* Memory that comes to the buddy allocator when it is needed. */
#include <errno.h>
#include <string.h>

#include "test_memory.h"

#define PAGES MEM_SECTION_PAGES

static struct mem_map *map;
static struct zone zone;

/* A map whose descriptors are garbage until they are written. */
static void start(void)
{
    map = malloc(sizeof(*map));
    struct page *pages = aligned_alloc(sizeof(struct page), MEM_SECTION_ARRAY_BYTES);
    EXPECT(map && pages);
    memset(pages, 0xff, MEM_SECTION_ARRAY_BYTES);
    mem_map_init(map);
    EXPECT(mem_map_add_section_unwritten(map, TEST_SECTION, pages) == 0);
    EXPECT(mem_map_add_section_unwritten(map, TEST_SECTION, pages) == -EEXIST);
    EXPECT(!mem_map_find(map, TEST_FIRST_PFN));
    EXPECT(zone_init(&zone, ZONE_NORMAL, map, TEST_FIRST_PFN, TEST_FIRST_PFN + PAGES) == 0);
}

static int defer(uint64_t from, uint64_t to)
{
    return buddy_defer_range(&zone, TEST_FIRST_PFN + from, TEST_FIRST_PFN + to);
}

static void finish(void)
{
    EXPECT(buddy_check(&zone) == 0);
    test_map_free(map);
}

static void wrong_ranges(void)
{
    start();
    EXPECT(defer(5, 5) == -EINVAL && defer(6, 5) == -EINVAL && defer(0, PAGES + 1) == -EINVAL);
    EXPECT(buddy_defer_range(&zone, TEST_FIRST_PFN - 1, TEST_FIRST_PFN + 1) == -EINVAL);
    EXPECT(buddy_check(&zone) == 0 && zone.managed_pages == 0);
    EXPECT(defer(100, 200) == 0 && defer(150, 300) == -EINVAL && defer(10, 20) == -EINVAL && defer(200, 201) == 0);
    EXPECT(zone.managed_pages == 101 && zone.deferred_pages == 101 && zone.free_pages == 0);
    for (uint64_t i = 2; i < DEFERRED_RANGES_MAX; i++)
        EXPECT(defer(300 + 2 * i, 301 + 2 * i) == 0);
    EXPECT(defer(PAGES - 1, PAGES) == -ENOSPC && buddy_check(&zone) == 0);
    finish();
}

static void grows_when_needed(void)
{
    start();
    EXPECT(defer(3, PAGES) == 0);
    EXPECT(!mem_map_find(map, TEST_FIRST_PFN + 3));
    struct page *page = buddy_alloc(&zone, 0, MIGRATE_MOVABLE);
    EXPECT(page && page_pfn(page) >= TEST_FIRST_PFN + 3 && page_pfn(page) < TEST_FIRST_PFN + MEM_SUBSECTION_PAGES);
    EXPECT(mem_map_find(map, TEST_FIRST_PFN) && (mem_map_find(map, TEST_FIRST_PFN + 2)->flags & PAGE_RESERVED));
    EXPECT(!mem_map_find(map, TEST_FIRST_PFN + MEM_SUBSECTION_PAGES));
    EXPECT(zone.deferred_pages == PAGES - MEM_SUBSECTION_PAGES && zone.free_pages == MEM_SUBSECTION_PAGES - 4);
    EXPECT(buddy_check(&zone) == 0);
    /* The first subsection has no block of the largest order; the second is one. */
    struct page *block = buddy_alloc(&zone, MAX_ORDER, MIGRATE_MOVABLE);
    EXPECT(block && page_pfn(block) == TEST_FIRST_PFN + MEM_SUBSECTION_PAGES && zone.statistics.fallbacks == 0);
    EXPECT(buddy_free(&zone, block, MAX_ORDER) == 0 && buddy_free(&zone, page, 0) == 0);
    EXPECT(zone.free_pages + zone.deferred_pages == PAGES - 3);
    finish();
}

static void types_stay_apart(void)
{
    start();
    EXPECT(defer(0, PAGES) == 0);
    struct page *kept = buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE);
    EXPECT(kept && zone.statistics.steals == 1);
    /* Its block was two pageblocks. Movable requests take the other one back, then new memory, but not what is left
     * of the unmovable one. */
    for (unsigned i = 0; i < 3 * MEM_SUBSECTION_PAGES; i++) {
        struct page *page = buddy_alloc(&zone, 0, MIGRATE_MOVABLE);
        EXPECT(page && page_pfn(page) / PAGEBLOCK_PAGES != page_pfn(kept) / PAGEBLOCK_PAGES);
    }
    EXPECT(zone.statistics.fallbacks == 2 && zone.statistics.steals == 2);
    finish();
}

/* A subsection may be written already, because some of its pages were given at once. */
static void shared_subsection(void)
{
    start();
    mem_map_write_subsection(map, TEST_FIRST_PFN, (struct page_initial){.flags = PAGE_RESERVED});
    EXPECT(buddy_add_range(&zone, TEST_FIRST_PFN + 700, TEST_FIRST_PFN + 800, MIGRATE_MOVABLE) == 0);
    EXPECT(defer(0, 10) == 0 && defer(1000, 1100) == 0);
    EXPECT(zone.managed_pages == 210 && buddy_check(&zone) == 0);
    for (unsigned i = 0; i < 210; i++)
        EXPECT(buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE));
    EXPECT(!buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE) && zone.free_pages == 0 && zone.deferred_pages == 0);
    finish();
}

/* Single pages of a zone with holes: each is given once, and no other. */
static void random_holes(void)
{
    static bool exists[PAGES], taken[PAGES];
    static struct page *held[PAGES];
    start();
    uint64_t pages = 0, count = 0, position = 0;
    for (unsigned i = 0; i < DEFERRED_RANGES_MAX; i++) {
        uint64_t from = position + random_below(200), to = from + 1 + random_below(i % 10 ? 100 : 1500);
        if (to > PAGES)
            break;
        EXPECT(defer(from, to) == 0);
        memset(&exists[from], true, to - from);
        pages += to - from;
        position = to;
    }
    for (test_step = 0; test_step < test_steps(); test_step++) {
        bool fill = test_step / (2 * PAGES) % 2 == 0;
        if (random_chance(fill ? 80 : 20)) {
            struct page *page = buddy_alloc(&zone, 0, (enum migrate_type)random_below(MIGRATE_COUNT));
            EXPECT(page || count == pages);
            if (!page)
                continue;
            uint64_t index = page_pfn(page) - TEST_FIRST_PFN;
            EXPECT(index < PAGES && exists[index] && !taken[index]);
            taken[index] = true;
            held[count++] = page;
        } else if (count) {
            uint64_t choice = random_below(count);
            taken[page_pfn(held[choice]) - TEST_FIRST_PFN] = false;
            EXPECT(buddy_free(&zone, held[choice], 0) == 0);
            held[choice] = held[--count];
        }
        EXPECT(zone.free_pages + zone.deferred_pages + count == pages);
        if (test_step % 100 == 0)
            EXPECT(buddy_check(&zone) == 0);
    }
    finish();
}

static void pageblocks_are_counted(void)
{
    uint64_t counts[MIGRATE_COUNT];
    start();
    EXPECT(defer(0, PAGES) == 0 && buddy_alloc(&zone, 0, MIGRATE_UNMOVABLE));
    zone_count_pageblocks(&zone, counts);
    EXPECT(counts[MIGRATE_UNMOVABLE] == 2 && counts[MIGRATE_RECLAIMABLE] == 0);
    EXPECT(counts[MIGRATE_MOVABLE] == PAGES / PAGEBLOCK_PAGES - 2);
    finish();
}

static const struct test_row rows[] = {
    {"wrong_ranges", "what cannot be deferred is refused and changes nothing", wrong_ranges},
    {"grows_when_needed", "descriptors are written a subsection at a time", grows_when_needed},
    {"types_stay_apart", "new memory is used before types are mixed", types_stay_apart},
    {"shared_subsection", "memory given at once and deferred memory share a subsection", shared_subsection},
    {"random_holes", "each page is given once, whatever the ranges", random_holes},
    {"pageblocks_are_counted", "pageblocks by type, deferred ones included", pageblocks_are_counted},
};
TEST_MAIN("deferred", rows)
