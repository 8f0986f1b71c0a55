/* SPDX-License-Identifier: MIT */
/*
 * The rest of the kernel's address space: RAM in the direct map and the kernel's device registers. Runs on the boot CPU
 * alone, before kernel_main(). Tables come from a small static pool; entries only ever go from invalid to valid.
 */
#include <arch/mmu.h>
#include <arch/pagetable.h>

#include "panic.h"
#include "platform.h"
#include "start.h"

#define TREE_HEADER_BYTES 40u
#define TREE_BYTES_MAX    (2u << 20) /* a limit of the boot protocol */
#define TREE_MAGIC        0xd00dfeedu

#define LEVEL_DIRECT 1u /* the direct map and the device map have one level 1 table each: 512 GiB */
#define TABLES_MAX   48u

#define PTE_KERNEL_DATA   (PTE_VALID | PTE_ACCESSED | PTE_KERNEL_NO_EXECUTE | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_MEMORY (PTE_KERNEL_DATA | PTE_SHAREABLE)
#define PTE_KERNEL_DEVICE (PTE_KERNEL_DATA | PTE_DEVICE)

_Static_assert(PTE_DEVICE == MAIR_INDEX_DEVICE << 2, "the index is at bit 2 of an entry");
_Static_assert(CPUS_MAX == 8, "boot.S looks through as many");
_Static_assert(DIRECT_SIZE == 512UL << 30, "one entry of the top table");

extern char __image_start[], __image_end[], __root_start[], __root_end[];
extern uint64_t kernel_top_table[512];

uint64_t kernel_image_offset;

static uint64_t direct_level1[512] __attribute__((aligned(4096)));
static uint64_t device_level1[512] __attribute__((aligned(4096)));
static uint64_t tables[TABLES_MAX][512] __attribute__((aligned(4096)));
static unsigned tables_used;

static uint64_t image_address(const char *symbol)
{
    return kernel_virtual_to_physical(symbol);
}

/* The table below an entry, made if there is none. Tables are inside the image, so they are not in the direct map. */
static uint64_t *table_below(uint64_t *entry)
{
    if (!*entry) {
        if (tables_used == TABLES_MAX)
            panic("memory in too many pieces: %u tables do not map it", TABLES_MAX);
        *entry = pte_for_table(kernel_virtual_to_physical(tables[tables_used++]));
    }
    return (uint64_t *)((*entry & PTE_ADDRESS) + kernel_image_offset);
}

/* Maps the pages [base, end) with the largest entries that fit; what is mapped already stays as it is. */
static void map_pages(uint64_t *table, unsigned level, uint64_t base, uint64_t end, uint64_t attributes)
{
    while (base < end) {
        uint64_t span = pte_span(level);
        uint64_t next = (base & ~(span - 1)) + span;
        uint64_t *entry = &table[pte_index(base, level)];

        if (next > end)
            next = end;
        if (level == LEAF_LEVEL)
            *entry = base | attributes | PTE_TABLE;
        else if (!*entry && next - base == span)
            *entry = base | attributes;
        else if (!*entry || pte_is_table(*entry))
            map_pages(table_below(entry), level + 1, base, next, attributes);
        base = next;
    }
}

static void finish_mapping(void)
{
    table_write_barrier();
    __asm__ volatile("isb" ::: "memory");
}

/* The lowest part of [base, end) that the direct map must not show: the image but for root, and what is reserved. */
static bool find_hole(uint64_t base, uint64_t end, struct memory_region *hole)
{
    uint64_t root_end = image_address(__root_end);
    const struct memory_region image[] = {
        {machine.image_base, image_address(__root_start) - machine.image_base},
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

static void map_direct(uint64_t base, uint64_t end)
{
    while (base < end) {
        struct memory_region hole = {end, 0};
        (void)find_hole(base, end, &hole);
        if (hole.base > base)
            map_pages(direct_level1, LEVEL_DIRECT, base, hole.base, PTE_KERNEL_MEMORY);
        base = hole.base + hole.size;
    }
    finish_mapping();
}

void device_map_range(uint64_t base, uint64_t size)
{
    if (!size || base >= DIRECT_SIZE || size > DIRECT_SIZE - base)
        panic("device registers at %lx, %lx bytes: out of reach", base, size);
    map_pages(device_level1, LEVEL_DIRECT, base & PAGE_MASK, (base + size + PAGE_SIZE - 1) & PAGE_MASK,
              PTE_KERNEL_DEVICE);
    finish_mapping();
}

static uint32_t big_endian(uint32_t value)
{
    return __builtin_bswap32(value);
}

/* Makes the whole tree readable, having looked at its header alone. There is no log yet to complain to. */
static void map_tree(uint64_t tree)
{
    if (tree % 8 || tree >= DIRECT_SIZE - TREE_BYTES_MAX)
        panic("no device tree: address %lx", tree);
    if (tree >= machine.image_base && tree < machine.image_base + machine.image_size)
        panic("the device tree is inside the kernel image");
    map_direct(tree & PAGE_MASK, (tree + TREE_HEADER_BYTES + PAGE_SIZE - 1) & PAGE_MASK);

    const uint32_t *header = direct_map(tree);
    uint32_t bytes = big_endian(header[1]);
    if (big_endian(header[0]) != TREE_MAGIC || bytes < TREE_HEADER_BYTES || bytes > TREE_BYTES_MAX)
        panic("no device tree at %lx", tree);
    if (tree < machine.image_base && tree + bytes > machine.image_base)
        panic("the device tree reaches into the kernel image");
    map_direct(tree & PAGE_MASK, (tree + bytes + PAGE_SIZE - 1) & PAGE_MASK);
    machine.tree_base = tree;
    machine.tree_size = bytes;
}

_Noreturn void boot_main(uint64_t tree); /* for boot.S alone */

/* From boot.S: the image is mapped, nothing else is. */
_Noreturn void boot_main(uint64_t tree)
{
    kernel_top_table[pte_index(DIRECT_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(direct_level1));
    kernel_top_table[pte_index(DEVICE_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(device_level1));
    machine.image_base = image_address(__image_start);
    machine.image_size = (uint64_t)(__image_end - __image_start);
    map_tree(tree);
    platform_discover(tree);
    for (size_t i = 0; i < machine.memory_count; i++)
        map_direct(machine.memory[i].base, machine.memory[i].base + machine.memory[i].size);
    kernel_main();
}
