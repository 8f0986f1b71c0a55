/* SPDX-License-Identifier: MIT */
/* Mapping by hand, for the time before memsrv. */
#include "memory.h"

#include <quire/syscall.h>
#include <string.h>

#include "frames.h"
#include "log.h"

/* Pages that one lowest-level table maps, and the tables above it that a piece can need besides. */
#define TABLE_ENTRIES 512u
#define UPPER_TABLES  4u

static void apply_item(uint64_t aspace, uint64_t target, uint64_t entry)
{
    struct map_item *item = (struct map_item *)ipc_buffer()->words;

    *item = (struct map_item){.target = target, .entry = entry};
    long result = sys_map(SLOT_PHYSICAL, aspace, 1);
    if (result != 1)
        fatal("mapping 0x%lx to 0x%lx: error %ld", entry, target, result);
}

void add_tables(uint64_t aspace, uint64_t pages)
{
    for (uint64_t i = 0; i < pages / TABLE_ENTRIES + 1 + UPPER_TABLES; i++)
        apply_item(aspace, MAP_ITEM_TABLE, frame_take() << PAGE_SHIFT);
}

void map_frame(uint64_t aspace, uint64_t address, uint64_t pfn, uint64_t rights)
{
    apply_item(aspace, address | MAP_ITEM_MAP, pfn << PAGE_SHIFT | rights);
}

void own_map(uint64_t address, uint64_t physical, uint64_t pages, uint64_t rights)
{
    add_tables(SLOT_ASPACE, pages);
    for (uint64_t i = 0; i < pages; i++)
        map_frame(SLOT_ASPACE, address + i * PAGE_SIZE, (physical >> PAGE_SHIFT) + i, rights);
}

void own_unmap(uint64_t address, uint64_t pages)
{
    const uint64_t end = address + pages * PAGE_SIZE;

    while (address < end) {
        long result = sys_unmap(SLOT_PHYSICAL, SLOT_ASPACE, address, (end - address) >> PAGE_SHIFT, 0, &address);
        if (result < 0)
            fatal("unmapping 0x%lx: error %ld", address, result);
    }
}

void scratch_open(void)
{
    add_tables(SLOT_ASPACE, 1);
}

void *scratch_zeroed(uint64_t pfn)
{
    apply_item(SLOT_ASPACE, SCRATCH_ADDRESS | MAP_ITEM_MAP | MAP_ITEM_REPLACE,
               pfn << PAGE_SHIFT | ENTRY_READ | ENTRY_WRITE | ENTRY_ACCESSED | ENTRY_DIRTY);
    return memset((void *)SCRATCH_ADDRESS, 0, PAGE_SIZE);
}

void scratch_close(void)
{
    own_unmap(SCRATCH_ADDRESS, 1);
}
