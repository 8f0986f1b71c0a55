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

int mem_map_add_section_unwritten(struct mem_map *map, uint64_t section, struct page *pages)
{
    if (section >= MEM_SECTION_COUNT || !pages || !is_aligned((uintptr_t)pages, sizeof(*pages)))
        return -EINVAL;
    if (map->sections[section])
        return -EEXIST;
    map->sections[section] = pages;
    return 0;
}

void mem_map_write_subsection(struct mem_map *map, uint64_t pfn, struct page_initial initial)
{
    struct page *page = mem_map_page(map, pfn);
    uint32_t bit = 1u << (pfn / MEM_SUBSECTION_PAGES % MEM_SUBSECTIONS);

    ASSERT(is_aligned(pfn, MEM_SUBSECTION_PAGES) && !mem_map_present(map, pfn));
    for (uint64_t i = 0; i < MEM_SUBSECTION_PAGES; i++)
        page[i] = (struct page){.flags = initial.flags, .zone = initial.zone, .pfn = pfn + i};
    __atomic_fetch_or(&map->written[pfn / MEM_SECTION_PAGES], bit, __ATOMIC_RELEASE);
}

int mem_map_add_section(struct mem_map *map, uint64_t section, struct page *pages)
{
    int error = mem_map_add_section_unwritten(map, section, pages);
    if (error)
        return error;
    for (uint64_t i = 0; i < MEM_SECTION_PAGES; i += MEM_SUBSECTION_PAGES)
        mem_map_write_subsection(map, section * MEM_SECTION_PAGES + i, (struct page_initial){.flags = PAGE_RESERVED});
    return 0;
}
