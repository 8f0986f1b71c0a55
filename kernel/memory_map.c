/* SPDX-License-Identifier: MIT */
/* The kernel's half of the address space while it is made: see memory_map.h. */
#include "arch.h"
#include "panic.h"
#include "platform.h"

#define LEVEL_DIRECT 1u  /* the direct map and the device map have one level 1 table each: 512 GiB */
#define TABLES_MAX   64u /* where leaves are of 2 MiB, a table for each GiB */

_Static_assert(DIRECT_SIZE == 512UL << 30, "one entry of the top table");

extern char __image_start[], __image_end[], __root_start[], __root_end[];

static uint64_t direct_level1[512] __attribute__((aligned(4096)));
static uint64_t device_level1[512] __attribute__((aligned(4096)));
static uint64_t tables[TABLES_MAX][512] __attribute__((aligned(4096)));
static unsigned tables_used;

void memory_map_begin(void)
{
    machine.image_base = kernel_virtual_to_physical(__image_start);
    machine.image_size = (uint64_t)(__image_end - __image_start);
    kernel_top_table[pte_index(DIRECT_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(direct_level1));
    kernel_top_table[pte_index(DEVICE_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(device_level1));
}

/* The table below an entry, made if there is none. Tables are inside the image, so they are not in the direct map. */
static uint64_t *table_below(uint64_t *entry)
{
    if (!*entry) {
        if (tables_used == TABLES_MAX)
            panic("memory in too many pieces: %u tables do not map it", TABLES_MAX);
        *entry = pte_for_table(kernel_virtual_to_physical(tables[tables_used++]));
    }
    return kernel_physical_to_virtual(*entry & PTE_ADDRESS);
}

void map_pages(uint64_t *table, unsigned level, uint64_t base, uint64_t end, uint64_t physical, uint64_t attributes)
{
    const unsigned top = kernel_leaf_top();

    while (base < end) {
        uint64_t span = pte_span(level);
        uint64_t next = (base & ~(span - 1)) + span;
        uint64_t *entry = &table[pte_index(base, level)];

        if (next > end || next == 0)
            next = end;
        if (level == LEAF_LEVEL)
            *entry = pte_kernel_leaf(physical, level, attributes);
        else if (level >= top && !*entry && next - base == span && physical % span == 0)
            *entry = pte_kernel_leaf(physical, level, attributes);
        else if (!*entry || pte_is_table(*entry))
            map_pages(table_below(entry), level + 1, base, next, physical, attributes);
        physical += next - base;
        base = next;
    }
}

/* The lowest part of [base, end) that the direct map must not show: the image but for root, and what is reserved. */
static bool find_hole(uint64_t base, uint64_t end, struct memory_region *hole)
{
    uint64_t root_end = kernel_virtual_to_physical(__root_end);
    const struct memory_region image[] = {
        {machine.image_base, kernel_virtual_to_physical(__root_start) - machine.image_base},
        {root_end, machine.image_base + machine.image_size - root_end},
    };
    bool found = false;

    for (size_t i = 0; i < 2 + machine.reserved_count; i++) {
        const struct memory_region *region = i < 2 ? &image[i] : &machine.reserved[i - 2];
        if (region->base >= end || region->base + region->size <= base)
            continue;
        if (!found || region->base < hole->base)
            *hole = *region;
        found = true;
    }
    return found;
}

void map_direct(uint64_t base, uint64_t end)
{
    while (base < end) {
        struct memory_region hole = {end, 0};
        (void)find_hole(base, end, &hole);
        if (hole.base > base)
            map_pages(direct_level1, LEVEL_DIRECT, base, hole.base, base, PTE_KERNEL_MEMORY);
        base = hole.base + hole.size;
    }
    table_use_barrier();
}

void map_memory(void)
{
    for (size_t i = 0; i < machine.memory_count; i++)
        map_direct(machine.memory[i].base, machine.memory[i].base + machine.memory[i].size);
}

void device_map_range(uint64_t base, uint64_t size)
{
    if (!size || base >= DIRECT_SIZE || size > DIRECT_SIZE - base)
        panic("device registers at %lx, %lx bytes: out of reach", base, size);
    base &= PAGE_MASK;
    map_pages(device_level1, LEVEL_DIRECT, base, (base + size + PAGE_SIZE - 1) & PAGE_MASK, base, PTE_KERNEL_DEVICE);
    table_use_barrier();
}
