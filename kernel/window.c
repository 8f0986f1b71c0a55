/* SPDX-License-Identifier: MIT */
/*
 * The window: all user frames at WINDOW_BASE + physical address, for the one server that manages them. It follows the
 * frame table: a frame that becomes a table or holds objects leaves the window at once. It is made of 2 MiB pages; the
 * first frame that leaves one splits it, into a table that was set aside for this at boot.
 */
#include <errno.h>

#include "kernel.h"
#include "panic.h"

#define HUGE_FRAMES (1UL << HUGE_PAGE_ORDER)

static uint64_t *gigabytes; /* the level 1 table */

/* Level 3 tables, one for each 2 MiB of a section of the frame table, filled when needed; NULL: no memory there. */
static uint64_t *split_tables[FRAME_SECTION_COUNT];

#define SECTION_BLOCKS (FRAME_SECTION_FRAMES / HUGE_FRAMES)
#define SECTION_SHIFT  (FRAME_SECTION_SHIFT + PAGE_SHIFT)
#define WINDOW_ENTRY   (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)

static uint64_t *block_entry(uint64_t pfn)
{
    uint64_t gigabyte = gigabytes[pfn >> (30 - PAGE_SHIFT) & 511];
    uint64_t *blocks = direct_map(gigabyte & PTE_ADDRESS);
    return &blocks[pfn >> HUGE_PAGE_ORDER & 511];
}

static uint64_t *split_table(uint64_t pfn)
{
    return split_tables[pfn >> FRAME_SECTION_SHIFT] + (pfn >> HUGE_PAGE_ORDER) % SECTION_BLOCKS * 512;
}

static uint64_t page_entry(uint64_t pfn)
{
    return pte_from_entry(pfn << PAGE_SHIFT | WINDOW_ENTRY, LEAF_LEVEL);
}

static bool is_user(uint64_t pfn)
{
    const struct frame *frame = frame_find(&frames, pfn);
    return frame && frame->type == FRAME_USER;
}

/* Entries for the user frames of the 2 MiB block at `pfn`. */
static void fill_table(uint64_t *table, uint64_t pfn)
{
    for (unsigned i = 0; i < HUGE_FRAMES; i++)
        table[i] = is_user(pfn + i) ? page_entry(pfn + i) : 0;
}

static bool section_starts_gigabyte(uint64_t section, uint64_t previous)
{
    return previous == FRAME_SECTION_COUNT || section << SECTION_SHIFT >> 30 != previous << SECTION_SHIFT >> 30;
}

/* The sections with memory, and the gigabytes that they are in. */
static void count_sections(uint64_t *sections, uint64_t *gibibytes)
{
    uint64_t previous = FRAME_SECTION_COUNT;
    *sections = *gibibytes = 0;
    for (uint64_t section = 0; section < FRAME_SECTION_COUNT; section++) {
        if (!frames.room[section])
            continue;
        *gibibytes += section_starts_gigabyte(section, previous);
        *sections += 1;
        previous = section;
    }
}

static uint64_t *next_table(uint64_t *physical, uint64_t count)
{
    uint64_t *table = direct_map(*physical);
    *physical += count * PAGE_SIZE;
    return table;
}

void window_init(uint64_t (*allocate)(uint64_t pages))
{
    uint64_t sections, gibibytes, previous = FRAME_SECTION_COUNT;
    count_sections(&sections, &gibibytes);
    uint64_t physical = allocate(1 + gibibytes + sections * SECTION_BLOCKS);
    gigabytes = next_table(&physical, 1);
    __builtin_memset(gigabytes, 0, PAGE_SIZE);
    for (uint64_t section = 0; section < FRAME_SECTION_COUNT; section++) {
        if (!frames.room[section])
            continue;
        if (section_starts_gigabyte(section, previous)) {
            uint64_t *blocks = next_table(&physical, 1);
            __builtin_memset(blocks, 0, PAGE_SIZE);
            gigabytes[section << SECTION_SHIFT >> 30] = pte_for_table(direct_map_to_physical(blocks));
        }
        split_tables[section] = next_table(&physical, SECTION_BLOCKS);
        previous = section;
    }
}

/* Shows [pfn, end), a part of a 2 MiB block, page by page. */
static void show_pages(uint64_t pfn, uint64_t end)
{
    uint64_t *entry = block_entry(pfn);
    if (!*entry) {
        __builtin_memset(split_table(pfn), 0, PAGE_SIZE);
        *entry = pte_for_table(direct_map_to_physical(split_table(pfn)));
    }
    for (uint64_t i = pfn; i < end; i++)
        split_table(pfn)[i % HUGE_FRAMES] = page_entry(i);
}

static void show_range(uint64_t pfn, uint64_t end)
{
    while (pfn < end) {
        uint64_t next = (pfn | (HUGE_FRAMES - 1)) + 1;
        if (next > end)
            next = end;
        if (next - pfn == HUGE_FRAMES)
            *block_entry(pfn) = pte_from_entry(pfn << PAGE_SHIFT | WINDOW_ENTRY, HUGE_LEVEL);
        else
            show_pages(pfn, next);
        pfn = next;
    }
}

void window_fill(void)
{
    for (uint32_t i = 0; i < frames.range_count;) {
        const struct frame_range *range = &frames.ranges[i++];
        if (range->type != FRAME_USER)
            continue;
        uint64_t end = range->pfn + range->count;
        for (; i < frames.range_count && frames.ranges[i].type == FRAME_USER && frames.ranges[i].pfn == end; i++)
            end += frames.ranges[i].count;
        show_range(range->pfn, end);
    }
    table_write_barrier();
}

void window_remove(uint64_t pfn)
{
    uint64_t address = WINDOW_BASE + (pfn << PAGE_SHIFT);
    uint64_t *entry = block_entry(pfn);

    if (!pte_is_table(*entry)) {
        /* The old translation goes before the new one comes: two sizes for an address at a time are undefined. */
        *entry = 0;
        table_write_barrier();
        tlb_drop_page_everywhere(address);
        tlb_finish();
        fill_table(split_table(pfn), pfn & ~(HUGE_FRAMES - 1));
        table_write_barrier();
        *entry = pte_for_table(direct_map_to_physical(split_table(pfn)));
    }
    split_table(pfn)[pfn & (HUGE_FRAMES - 1)] = 0;
    table_write_barrier();
    tlb_drop_page_everywhere(address);
    tlb_finish();
}

void window_add(uint64_t pfn)
{
    split_table(pfn)[pfn & (HUGE_FRAMES - 1)] = page_entry(pfn);
    table_write_barrier();
}

bool window_shows(const struct aspace *aspace, uint64_t address, uint32_t access)
{
    const uint64_t pfn = (address - WINDOW_BASE) >> PAGE_SHIFT;

    if (!aspace->window || (access & FAULT_EXECUTE) || !gigabytes[pfn >> (30 - PAGE_SHIFT) & 511])
        return false;
    const uint64_t entry = *block_entry(pfn);
    return pte_is_table(entry) ? pte_is_present(split_table(pfn)[pfn & (HUGE_FRAMES - 1)]) : pte_is_present(entry);
}

long window_show(struct aspace *aspace)
{
    uint64_t *entry = &aspace->top[pte_index(WINDOW_BASE, 0)];
    if (*entry)
        return -EEXIST;
    *entry = pte_for_table(direct_map_to_physical(gigabytes));
    frame_find(&frames, direct_map_to_physical(aspace->top) >> PAGE_SHIFT)->references++;
    aspace->window = true;
    table_write_barrier();
    return 0;
}
