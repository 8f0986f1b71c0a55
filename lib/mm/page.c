/* SPDX-License-Identifier: MIT */
/* The map from page frame numbers to descriptors. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/page.h>

void mem_map_init(struct mem_map *map)
{
    memset(map, 0, sizeof(*map));
}

int mem_map_add_section(struct mem_map *map, uint64_t section, struct page *pages)
{
    if (section >= MEM_SECTION_COUNT || !pages || !is_aligned((uintptr_t)pages, sizeof(*pages)))
        return -EINVAL;
    if (map->sections[section])
        return -EEXIST;
    memset(pages, 0, MEM_SECTION_ARRAY_BYTES);
    for (uint64_t i = 0; i < MEM_SECTION_PAGES; i++) {
        pages[i].flags = PAGE_RESERVED;
        pages[i].pfn = section * MEM_SECTION_PAGES + i;
    }
    map->sections[section] = pages;
    return 0;
}
