/* SPDX-License-Identifier: MIT */
/* The first allocator of a boot. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/memblock.h>

static uint64_t region_end(const struct memblock_region *region)
{
    return region->base + region->size;
}

/* Adds [base, base+size) to a list; whatever overlaps or touches it becomes one region with it. */
static int list_add_range(struct memblock_list *list, uint64_t base, uint64_t size)
{
    if (!range_valid(base, size))
        return -EINVAL;
    uint64_t end = base + size;
    uint32_t first = 0;
    while (first < list->count && region_end(&list->regions[first]) < base)
        first++;
    uint32_t behind = first; /* the first region that stays apart above */
    while (behind < list->count && list->regions[behind].base <= end)
        behind++;
    if (first == behind && list->count == MEMBLOCK_REGIONS_MAX)
        return -ENOSPC;
    if (first < behind) {
        if (list->regions[first].base < base)
            base = list->regions[first].base;
        if (region_end(&list->regions[behind - 1]) > end)
            end = region_end(&list->regions[behind - 1]);
    }
    memmove(&list->regions[first + 1], &list->regions[behind], (list->count - behind) * sizeof(list->regions[0]));
    list->regions[first] = (struct memblock_region){.base = base, .size = end - base};
    list->count = list->count - (behind - first) + 1;
    return 0;
}

void memblock_init(struct memblock *memblock)
{
    memblock->memory.count = 0;
    memblock->reserved.count = 0;
}

int memblock_add(struct memblock *memblock, uint64_t base, uint64_t size)
{
    return list_add_range(&memblock->memory, base, size);
}

int memblock_reserve(struct memblock *memblock, uint64_t base, uint64_t size)
{
    return list_add_range(&memblock->reserved, base, size);
}

/* Finds the first free range of memory region `memory` at or above `from`. */
static bool free_in_region(const struct memblock *memblock, const struct memblock_region *memory, uint64_t from,
                           struct memblock_region *region)
{
    uint64_t start = from > memory->base ? from : memory->base;
    uint64_t end = region_end(memory);
    for (uint32_t i = 0; i < memblock->reserved.count && start < end; i++) {
        const struct memblock_region *reserved = &memblock->reserved.regions[i];
        if (region_end(reserved) <= start)
            continue;
        if (reserved->base > start) {
            if (reserved->base < end)
                end = reserved->base;
            break;
        }
        start = region_end(reserved);
    }
    if (start >= end)
        return false;
    *region = (struct memblock_region){.base = start, .size = end - start};
    return true;
}

bool memblock_next_free(const struct memblock *memblock, uint64_t *cursor, struct memblock_region *region)
{
    for (uint32_t i = 0; i < memblock->memory.count; i++) {
        const struct memblock_region *memory = &memblock->memory.regions[i];
        if (region_end(memory) > *cursor && free_in_region(memblock, memory, *cursor, region)) {
            *cursor = region_end(region);
            return true;
        }
    }
    return false;
}

bool memblock_next_free_pages(const struct memblock *memblock, uint64_t *cursor, struct memblock_region *region)
{
    struct memblock_region found;
    while (memblock_next_free(memblock, cursor, &found)) {
        uint64_t start = align_up(found.base, PAGE_SIZE);
        uint64_t end = align_down(region_end(&found), PAGE_SIZE);
        if (start < found.base || start >= end)
            continue;
        *region = (struct memblock_region){.base = start, .size = end - start};
        return true;
    }
    return false;
}

int memblock_alloc(struct memblock *memblock, const struct memblock_request *request, uint64_t *base)
{
    if (request->size == 0 || !is_power_of_two(request->alignment))
        return -EINVAL;
    uint64_t high = request->high ? request->high : UINT64_MAX;
    uint64_t cursor = 0, best = 0;
    bool found = false;
    struct memblock_region region;
    while (memblock_next_free(memblock, &cursor, &region)) {
        uint64_t start = region.base > request->low ? region.base : request->low;
        uint64_t end = region_end(&region) < high ? region_end(&region) : high;
        if (start >= end || end - start < request->size)
            continue;
        uint64_t candidate = align_down(end - request->size, request->alignment);
        if (candidate < start)
            continue;
        best = candidate;
        found = true;
    }
    if (!found)
        return -ENOMEM;
    int error = memblock_reserve(memblock, best, request->size);
    if (error != 0)
        return error;
    *base = best;
    return 0;
}

uint64_t memblock_memory_size(const struct memblock *memblock)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < memblock->memory.count; i++)
        size += memblock->memory.regions[i].size;
    return size;
}

uint64_t memblock_reserved_size(const struct memblock *memblock)
{
    uint64_t cursor = 0, free_size = 0;
    struct memblock_region region;
    while (memblock_next_free(memblock, &cursor, &region))
        free_size += region.size;
    return memblock_memory_size(memblock) - free_size;
}

static bool list_ok(const struct memblock_list *list)
{
    if (list->count > MEMBLOCK_REGIONS_MAX)
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct memblock_region *region = &list->regions[i];
        if (!range_valid(region->base, region->size))
            return false;
        if (i > 0 && region->base <= region_end(region - 1))
            return false;
    }
    return true;
}

int memblock_check(const struct memblock *memblock)
{
    return list_ok(&memblock->memory) && list_ok(&memblock->reserved) ? 0 : -EIO;
}
