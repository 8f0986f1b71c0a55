/* SPDX-License-Identifier: MIT */
/*
 * Memory at boot: the machine's memory cut into regions by use, and the only allocations that the kernel ever makes:
 * its frame table, the window's tables and the first frames of root. All of it is over before root starts.
 */
#include "arch.h"
#include "boot.h"
#include "kernel.h"
#include "panic.h"

struct frame_table frames;
struct boot_info *boot_info;

static struct boot_region regions[BOOT_REGIONS_MAX];
static uint32_t region_count;
static struct frame_range ranges[BOOT_REGIONS_MAX];

static void insert(uint32_t index, uint64_t base, uint64_t size, uint64_t kind)
{
    if (region_count == BOOT_REGIONS_MAX)
        panic("more than %u pieces of memory", BOOT_REGIONS_MAX);
    for (uint32_t i = region_count++; i > index; i--)
        regions[i] = regions[i - 1];
    regions[index] = (struct boot_region){base, size, kind};
}

/* Gives the part of the free memory that [base, base + size) covers, rounded to pages, another kind. */
static void carve(uint64_t base, uint64_t size, enum boot_region_kind kind)
{
    uint64_t start = base & PAGE_MASK;
    uint64_t end = (base + size + PAGE_SIZE - 1) & PAGE_MASK;

    for (uint32_t i = 0; i < region_count; i++) {
        struct boot_region *region = &regions[i];
        uint64_t region_end = region->base + region->size;
        uint64_t from = start > region->base ? start : region->base;
        uint64_t to = end < region_end ? end : region_end;
        if (region->kind != BOOT_REGION_FREE || from >= to)
            continue;
        region->size = from - region->base;
        insert(i + 1, from, to - from, kind);
        insert(i + 2, to, region_end - to, BOOT_REGION_FREE);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < region_count; i++) {
        if (regions[i].size)
            regions[kept++] = regions[i];
    }
    region_count = kept;
}

/* `pages` consecutive pages from the end of the largest free region; not zeroed. */
static uint64_t allocate(uint64_t pages, enum boot_region_kind kind)
{
    const struct boot_region *largest = NULL;
    for (uint32_t i = 0; i < region_count; i++) {
        if (regions[i].kind == BOOT_REGION_FREE && (!largest || regions[i].size > largest->size))
            largest = &regions[i];
    }
    if (!largest || largest->size < pages * PAGE_SIZE)
        panic("no room for %lu pages of kernel tables", pages);
    uint64_t base = largest->base + largest->size - pages * PAGE_SIZE;
    carve(base, pages * PAGE_SIZE, kind);
    return base;
}

static uint64_t allocate_kernel(uint64_t pages)
{
    return allocate(pages, BOOT_REGION_KERNEL);
}

uint64_t boot_memory_pages(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < machine.memory_count; i++)
        bytes += machine.memory[i].size;
    return bytes >> PAGE_SHIFT;
}

static bool section_has_memory(uint64_t section)
{
    uint64_t base = section << (FRAME_SECTION_SHIFT + PAGE_SHIFT);
    uint64_t end = base + (FRAME_SECTION_FRAMES << PAGE_SHIFT);
    for (size_t i = 0; i < machine.memory_count; i++) {
        if (machine.memory[i].base < end && machine.memory[i].base + machine.memory[i].size > base)
            return true;
    }
    return false;
}

/* Room for the frame table, in one piece. */
static void make_frame_table(void)
{
    uint64_t sections = 0;
    for (uint64_t section = 0; section < FRAME_SECTION_COUNT; section++)
        sections += section_has_memory(section);
    char *room = direct_map(allocate_kernel(sections * FRAME_SECTION_BYTES >> PAGE_SHIFT));
    for (uint64_t section = 0; section < FRAME_SECTION_COUNT; section++) {
        if (!section_has_memory(section))
            continue;
        frame_add_room(&frames, section << FRAME_SECTION_SHIFT, (struct frame *)(void *)room);
        room += FRAME_SECTION_BYTES;
    }
}

uint64_t boot_allocate_root(uint64_t pages)
{
    uint64_t base = allocate(pages, BOOT_REGION_ROOT);
    __builtin_memset(direct_map(base), 0, pages * PAGE_SIZE);
    return base;
}

static enum frame_type frame_type_of(uint64_t kind)
{
    if (kind == BOOT_REGION_KERNEL)
        return FRAME_KERNEL;
    return kind == BOOT_REGION_RESERVED ? FRAME_NONE : FRAME_USER;
}

/* Neighbours of one kind become one region, as a run of carve() calls for tables leaves many. */
static void merge_regions(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 1; i < region_count; i++) {
        struct boot_region *last = &regions[kept];
        if (last->kind == regions[i].kind && last->base + last->size == regions[i].base)
            last->size += regions[i].size;
        else
            regions[++kept] = regions[i];
    }
    region_count = kept + 1;
}

void boot_memory_init(uint64_t root_base, uint64_t root_size)
{
    for (size_t i = 0; i < machine.memory_count; i++)
        insert(region_count, machine.memory[i].base, machine.memory[i].size, BOOT_REGION_FREE);
    if (!region_count)
        panic("no memory");
    carve(root_base, root_size, BOOT_REGION_ROOT);
    carve(machine.image_base, machine.image_size, BOOT_REGION_KERNEL);
    for (size_t i = 0; i < machine.reserved_count; i++)
        carve(machine.reserved[i].base, machine.reserved[i].size, BOOT_REGION_RESERVED);
    carve(machine.tree_base, machine.tree_size, BOOT_REGION_TREE);
    if (machine.archive_size)
        carve(machine.archive_base, machine.archive_size, BOOT_REGION_ARCHIVE);

    const struct memory_region *last = &machine.memory[machine.memory_count - 1];
    if (last->base + last->size > WINDOW_SIZE)
        panic("memory above the %lu GiB that the window shows", WINDOW_SIZE >> 30);
    make_frame_table();
    window_init(allocate_kernel);
}

void boot_memory_finish(struct boot_info *info)
{
    merge_regions();
    for (uint32_t i = 0; i < region_count; i++) {
        ranges[i] = (struct frame_range){regions[i].base >> PAGE_SHIFT, regions[i].size >> PAGE_SHIFT,
                                         frame_type_of(regions[i].kind)};
        info->regions[i] = regions[i];
    }
    info->region_count = region_count;
    frames.ranges = ranges;
    frames.range_count = region_count;
    window_fill();
}
