/* SPDX-License-Identifier: MIT */
/*
 * The order of events: the device tree names the memory; everything that is not the kernel's BOOT_REGION_FREE, and what
 * root has used of that, is reserved; page descriptors take their place; the zones get the rest. Each page is counted
 * on its way under what it is, and the sum is compared with the whole.
 */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/buddy.h>

#include "boot_memory.h"
#include "log.h"
#include "memory.h"
#include "reservation.h"

/* Zones end here: what every device reaches, if that is less than the next; what 32-bit devices reach; the rest. */
static uint64_t zone_ends[ZONE_COUNT] = {0, 1UL << 32, WINDOW_SIZE};

static struct memblock memblock;

static void require(const char *what, int error)
{
    if (error)
        fatal("memory at start: %s: error %ld", what, (long)error);
}

static void reserve(const char *what, uint64_t base, uint64_t size)
{
    require(what, memblock_reserve(&memblock, base, size));
}

/* Pages that memblock has as memory in [start, end). */
static uint64_t memory_pages_in(uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < memblock.memory.count; i++) {
        const struct memblock_region *region = &memblock.memory.regions[i];
        uint64_t from = region->base > start ? region->base : start;
        uint64_t to = region->base + region->size < end ? region->base + region->size : end;
        bytes += from < to ? to - from : 0;
    }
    return bytes / PAGE_SIZE;
}

static uint64_t *account_of(uint64_t kind)
{
    switch (kind) {
    case BOOT_REGION_KERNEL:
        return &boot_account.kernel;
    case BOOT_REGION_ROOT:
        return &boot_account.root;
    case BOOT_REGION_ARCHIVE:
        return &boot_account.archive;
    case BOOT_REGION_TREE:
        return &boot_account.tree;
    default:
        return &boot_account.firmware;
    }
}

/* A region must be whole pages and share none with another. */
static void check_region(const struct boot_info *info, uint64_t which)
{
    const struct boot_region *region = &info->regions[which];
    if (!range_valid(region->base, region->size) || !is_aligned(region->base | region->size, PAGE_SIZE))
        fatal("memory at start: region %lu of the boot information is not a range of pages", which);
    for (uint64_t i = 0; i < which; i++) {
        const struct boot_region *other = &info->regions[i];
        if (ranges_overlap(region->base, region->base + region->size, other->base, other->base + other->size))
            fatal("memory at start: regions %lu and %lu of the boot information overlap", i, which);
    }
}

/* Reserves what the kernel says is in use and counts it. Returns the pages that it says are free. */
static uint64_t read_regions(const struct boot_info *info)
{
    uint64_t free_pages = 0;
    for (uint64_t i = 0; i < info->region_count; i++) {
        const struct boot_region *region = &info->regions[i];
        check_region(info, i);
        uint64_t pages = memory_pages_in(region->base, region->base + region->size);
        if (region->kind == BOOT_REGION_FREE) {
            /* memsrv sees and gives out only frames that kernel and tree both know as memory. */
            if (pages != region->size / PAGE_SIZE)
                log_line("free region 0x%lx is not all memory in the device tree", region->base);
            free_pages += pages;
            continue;
        }
        *account_of(region->kind) += pages;
        reserve("kernel's regions", region->base, region->size);
    }
    return free_pages;
}

/* Memory that lies in no region of the kernel's was kept from us: the firmware's. */
static void reserve_unnamed(const struct boot_info *info)
{
    struct memblock named;
    memblock_init(&named);
    for (uint64_t i = 0; i < info->region_count; i++)
        require("kernel's regions", memblock_reserve(&named, info->regions[i].base, info->regions[i].size));
    for (uint32_t i = 0; i < memblock.memory.count; i++)
        require("memory", memblock_add(&named, memblock.memory.regions[i].base, memblock.memory.regions[i].size));

    uint64_t cursor = 0;
    struct memblock_region region;
    while (memblock_next_free(&named, &cursor, &region)) {
        boot_account.firmware += region.size / PAGE_SIZE;
        reserve("memory without a region", region.base, region.size);
    }
}

/* Pages that the tree reserves inside the kernel's free regions. They are reserved already; here they are counted. */
static void count_tree_reservations(const struct memblock *tree_only, const struct boot_info *info)
{
    for (uint32_t i = 0; i < tree_only->reserved.count; i++) {
        const struct memblock_region *taken = &tree_only->reserved.regions[i];
        for (uint64_t j = 0; j < info->region_count; j++) {
            const struct boot_region *region = &info->regions[j];
            uint64_t from = taken->base > region->base ? taken->base : region->base;
            uint64_t taken_end = taken->base + taken->size;
            uint64_t end = region->base + region->size;
            uint64_t to = taken_end < end ? taken_end : end;
            if (region->kind == BOOT_REGION_FREE && from < to)
                boot_account.firmware += memory_pages_in(from, to);
        }
    }
}

static void read_handover(const struct memsrv_handover *handover)
{
    if (handover->magic != MEMSRV_HANDOVER_MAGIC || handover->range_count > MEMSRV_HANDOVER_RANGES_MAX)
        fatal("the page that root hands over is not one");
    for (uint64_t i = 0; i < handover->range_count; i++) {
        const struct memsrv_handover_range *range = &handover->ranges[i];
        boot_account.root += range->size / PAGE_SIZE;
        reserve("root's frames", range->base, range->size);
    }
}

/* Room for descriptors of every section that holds memory. They are written when the memory is needed. */
static void make_memory_map(void)
{
    mem_map_init(&memory_map);
    for (uint64_t section = 0; section < MEM_SECTION_COUNT; section++) {
        if (memory_pages_in(section << MEM_SECTION_SHIFT, (section + 1) << MEM_SECTION_SHIFT) == 0)
            continue;
        uint64_t base;
        const struct memblock_request request = {.size = MEM_SECTION_ARRAY_BYTES, .alignment = MEM_SECTION_ARRAY_BYTES};
        require("page descriptors", memblock_alloc(&memblock, &request, &base));
        boot_account.metadata += MEM_SECTION_ARRAY_BYTES / PAGE_SIZE;
        require("section", mem_map_add_section_unwritten(&memory_map, section, (struct page *)(void *)window(base)));
    }
}

static void find_dma_zone(const void *tree)
{
    uint64_t limit = boot_tree_dma_limit(tree);
    if (limit < zone_ends[ZONE_DMA32])
        zone_ends[ZONE_DMA] = align_down(limit, ZONE_ALIGNMENT_PAGES << PAGE_SHIFT);
}

/* For what has no room among the zone's deferred ranges. */
static void add_now(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn) NO_THREAD_SAFETY_ANALYSIS
{
    const struct page_initial reserved = {.flags = PAGE_RESERVED};
    for (uint64_t pfn = align_down(start_pfn, MEM_SUBSECTION_PAGES); pfn < end_pfn; pfn += MEM_SUBSECTION_PAGES) {
        if (!mem_map_present(&memory_map, pfn))
            mem_map_write_subsection(&memory_map, pfn, reserved);
    }
    require("free pages", buddy_add_range(zone, start_pfn, end_pfn, MIGRATE_MOVABLE));
}

static void add_free_pages(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn)
{
    int error = buddy_defer_range(zone, start_pfn, end_pfn);
    if (error == -ENOSPC)
        add_now(zone, start_pfn, end_pfn);
    else
        require("free pages", error);
}

/* Cuts [*start, *end) to where memory is, rounded outwards; to nothing if there is none. */
static void cut_to_memory(uint64_t *start, uint64_t *end)
{
    const uint64_t alignment = ZONE_ALIGNMENT_PAGES << PAGE_SHIFT;
    uint64_t first = *end, last = *start;
    for (uint32_t i = 0; i < memblock.memory.count; i++) {
        const struct memblock_region *region = &memblock.memory.regions[i];
        uint64_t from = region->base > *start ? region->base : *start;
        uint64_t to = region->base + region->size < *end ? region->base + region->size : *end;
        if (from >= to)
            continue;
        first = from < first ? from : first;
        last = to > last ? to : last;
    }
    if (first < last) {
        *start = align_down(first, alignment);
        *end = align_up(last, alignment);
    } else {
        *end = *start;
    }
}

/* Makes the zone of `type` and gives it the free pages of its range. */
static uint64_t make_zone(enum zone_type type)
{
    struct zone *zone = &zones[type];
    uint64_t start = type ? zone_ends[type - 1] : 0;
    uint64_t end = zone_ends[type];
    uint64_t cursor = 0;
    uint64_t pages = 0;
    struct memblock_region region;

    cut_to_memory(&start, &end);
    require("zone", zone_init(zone, type, &memory_map, start >> PAGE_SHIFT, end >> PAGE_SHIFT));
    zone->present_pages = memory_pages_in(start, end);
    while (memblock_next_free_pages(&memblock, &cursor, &region)) {
        uint64_t from = region.base > start ? region.base : start;
        uint64_t to = region.base + region.size < end ? region.base + region.size : end;
        if (from >= to)
            continue;
        add_free_pages(zone, from >> PAGE_SHIFT, to >> PAGE_SHIFT);
        pages += (to - from) / PAGE_SIZE;
    }
    if (pages) {
        preferred_zone = type;
        log_line("zone %s: %lu pages, %lu of them free", zone->name, zone->present_pages, pages);
    }
    return pages;
}

/* Every page must have been counted once. */
static void prove_account(uint64_t free_pages)
{
    const struct boot_account *account = &boot_account;
    uint64_t used =
        account->metadata + account->kernel + account->root + account->archive + account->tree + account->firmware;
    log_line("%lu pages: %lu free, %lu descriptors, %lu kernel, %lu root, %lu archive, %lu tree, %lu firmware",
             account->total, free_pages, account->metadata, account->kernel, account->root, account->archive,
             account->tree, account->firmware);
    if (used + free_pages != account->total || memory_free_pages() != free_pages)
        fatal("memory at start: the pages do not add up");
}

/* The min watermarks keep what the machine's size asks for, and at least what paging needs. */
static void set_watermarks(uint64_t free_pages, uint64_t cpu_count)
{
    const uint64_t usual = min_free_kbytes_for(free_pages * (PAGE_SIZE / 1024));
    const uint64_t least = reservation_min_free_kbytes(cpu_count);

    zones_set_watermarks(zones, usual > least ? usual : least, WATERMARK_SCALE_FACTOR);
    log_line("paging: at most %lu pages of the %lu that are kept", reservation_pages(cpu_count),
             memory_reserve_pages());
}

void boot_memory(const struct boot_info *info, const struct memsrv_handover *handover)
{
    static struct memblock tree_only;
    uint64_t free_pages = 0;

    if (info->magic != BOOT_INFO_MAGIC || info->region_count > BOOT_REGIONS_MAX || info->tree_base >= WINDOW_SIZE)
        fatal("the boot information is not one");
    memblock_init(&memblock);
    require("device tree", boot_tree_read(window(info->tree_base), info->tree_size, &memblock));
    tree_only = memblock;
    boot_account.total = memblock_memory_size(&memblock) / PAGE_SIZE;
    count_tree_reservations(&tree_only, info);
    if (read_regions(info) == 0)
        fatal("memory at start: the kernel left no page");
    reserve_unnamed(info);
    read_handover(handover);
    find_dma_zone(window(info->tree_base));
    make_memory_map();
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        free_pages += make_zone((enum zone_type)type);
    set_watermarks(free_pages, info->cpu_count);
    zones_set_lowmem_reserve(zones);
    prove_account(free_pages);
    zeroes_blocks = machine_zeroes_blocks();
}
