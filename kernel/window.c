/* SPDX-License-Identifier: MIT */
/*
 * The window: all user frames at WINDOW_BASE + physical address, for the one server that manages them. It follows the
 * frame table: a frame that becomes a table or holds objects leaves the window at once. It is made of 2 MiB pages; the
 * first frame that leaves one splits it, into a table that was set aside for this at boot.
 */
#include <errno.h>

#include <arch/mmu.h>
#include <arch/pagetable.h>

#include "kernel.h"
#include "panic.h"

#define HUGE_FRAMES (1UL << HUGE_PAGE_ORDER)

static uint64_t *gigabytes; /* the level 1 table */
static uint64_t *split;     /* level 3 tables, one for each 2 MiB from first_block on, filled when needed */
static uint64_t first_block, block_count;

#define WINDOW_ENTRY (ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY)

static uint64_t *block_entry(uint64_t pfn)
{
    uint64_t gigabyte = gigabytes[pfn >> (30 - PAGE_SHIFT) & 511];
    uint64_t *blocks = direct_map(gigabyte & PTE_ADDRESS);
    return &blocks[pfn >> HUGE_PAGE_ORDER & 511];
}

static uint64_t *split_table(uint64_t pfn)
{
    return split + ((pfn >> HUGE_PAGE_ORDER) - first_block) * 512;
}

static bool is_user(uint64_t pfn)
{
    const struct frame *frame = frame_find(&frames, pfn);
    return frame && frame->type == FRAME_USER;
}

/* Entries for the user frames of the 2 MiB block at `pfn`; returns how many. */
static unsigned fill_table(uint64_t *table, uint64_t pfn)
{
    unsigned users = 0;
    for (unsigned i = 0; i < HUGE_FRAMES; i++) {
        table[i] = is_user(pfn + i) ? pte_from_entry((pfn + i) << PAGE_SHIFT | WINDOW_ENTRY, LEAF_LEVEL) : 0;
        users += table[i] != 0;
    }
    return users;
}

static void init_block(uint64_t pfn)
{
    unsigned users = fill_table(split_table(pfn), pfn);
    if (users == HUGE_FRAMES)
        *block_entry(pfn) = pte_from_entry(pfn << PAGE_SHIFT | WINDOW_ENTRY, HUGE_LEVEL);
    else if (users)
        *block_entry(pfn) = pte_for_table(direct_map_to_physical(split_table(pfn)));
}

void window_init(uint64_t (*allocate)(uint64_t pages))
{
    first_block = frames.first >> HUGE_PAGE_ORDER;
    block_count = ((frames.first + frames.count + HUGE_FRAMES - 1) >> HUGE_PAGE_ORDER) - first_block;
    if (((first_block + block_count) << HUGE_PAGE_SHIFT) > WINDOW_SIZE)
        panic("memory above the %lu GiB that the window shows", WINDOW_SIZE >> 30);
    gigabytes = direct_map(allocate(1));
    split = direct_map(allocate(block_count));
    for (uint64_t block = first_block; block < first_block + block_count; block++) {
        uint64_t *gigabyte = &gigabytes[block >> 9 & 511];
        if (!*gigabyte)
            *gigabyte = pte_for_table(allocate(1));
    }
}

void window_fill(void)
{
    for (uint64_t block = first_block; block < first_block + block_count; block++)
        init_block(block << HUGE_PAGE_ORDER);
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
    split_table(pfn)[pfn & (HUGE_FRAMES - 1)] = pte_from_entry(pfn << PAGE_SHIFT | WINDOW_ENTRY, LEAF_LEVEL);
    table_write_barrier();
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
