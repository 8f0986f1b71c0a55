/* SPDX-License-Identifier: MIT */
/* A small physical memory for the tests of the page allocators: one section of descriptors, zones over it. */
#ifndef UNIT_TEST_MEMORY_H
#define UNIT_TEST_MEMORY_H

#include <stdlib.h>

#include <mm/buddy.h>

#include "harness.h"

#define TEST_SECTION   8u
#define TEST_FIRST_PFN (TEST_SECTION * MEM_SECTION_PAGES)

/* Makes a map with one section and nothing in it. Free with test_map_free(). */
static inline struct mem_map *test_map_create(void)
{
    struct mem_map *map = malloc(sizeof(*map));
    struct page *pages = aligned_alloc(sizeof(struct page), MEM_SECTION_ARRAY_BYTES);
    EXPECT(map && pages);
    mem_map_init(map);
    EXPECT(mem_map_add_section(map, TEST_SECTION, pages) == 0);
    return map;
}

static inline void test_map_free(struct mem_map *map)
{
    free(map->sections[TEST_SECTION]);
    free(map);
}

/* Makes *zone one of `count` pages from TEST_FIRST_PFN on, all free and movable. */
static inline void test_zone_create(struct zone *zone, struct mem_map *map, uint64_t count)
{
    EXPECT(zone_init(zone, ZONE_NORMAL, map, TEST_FIRST_PFN, TEST_FIRST_PFN + count) == 0);
    EXPECT(buddy_add_range(zone, TEST_FIRST_PFN, TEST_FIRST_PFN + count, MIGRATE_MOVABLE) == 0);
}

/* Page `index` of the test memory. */
static inline struct page *test_page(struct mem_map *map, uint64_t index)
{
    return mem_map_page(map, TEST_FIRST_PFN + index);
}

#endif
