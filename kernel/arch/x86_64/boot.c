/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space: its image, RAM in the direct map and its device registers. Runs on the boot CPU alone,
 * before kernel_main(). Tables come from a small static pool; entries only ever go from invalid to valid.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/pagetable.h>

#include "panic.h"
#include "platform.h"
#include "start.h"

#define LEVEL_DIRECT 1u /* the direct map and the device map have one level 1 table each: 512 GiB */
#define TABLES_MAX   64u

#define PTE_KERNEL_DATA                                                                                                \
    (PTE_VALID | PTE_ACCESSED | PTE_MACHINE_WRITE | PTE_MACHINE_DIRTY | PTE_GLOBAL | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_RODATA (PTE_VALID | PTE_ACCESSED | PTE_GLOBAL | PTE_USER_NO_EXECUTE)
#define PTE_KERNEL_TEXT   (PTE_VALID | PTE_ACCESSED | PTE_GLOBAL)
#define PTE_KERNEL_DEVICE (PTE_KERNEL_DATA | PTE_DEVICE | PTE_WRITE_THROUGH)

_Static_assert(DIRECT_SIZE == 512UL << 30, "one entry of the top table");

extern char __image_start[], __image_end[], __root_start[], __root_end[], __text_start[], __text_end[], __data_start[];

uint64_t kernel_top_table[512] __attribute__((aligned(4096)));
static uint64_t direct_level1[512] __attribute__((aligned(4096)));
static uint64_t device_level1[512] __attribute__((aligned(4096)));
static uint64_t image_level1[512] __attribute__((aligned(4096)));
static uint64_t tables[TABLES_MAX][512] __attribute__((aligned(4096)));
static unsigned tables_used;

uint32_t secondary_index;
static uint32_t secondary_arrived;

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
    return (uint64_t *)((*entry & PTE_ADDRESS) + KERNEL_BASE);
}

/* Maps the pages [base, end) of what `table` shows, from `physical` on, with the largest entries that fit; what is
 * mapped already stays as it is. */
static void map_pages(uint64_t *table, unsigned level, uint64_t base, uint64_t end, uint64_t physical,
                      uint64_t attributes)
{
    while (base < end) {
        uint64_t span = pte_span(level);
        uint64_t next = (base & ~(span - 1)) + span;
        uint64_t *entry = &table[pte_index(base, level)];

        if (next > end || next == 0)
            next = end;
        if (level == LEAF_LEVEL)
            *entry = physical | attributes;
        else if (level == HUGE_LEVEL && !*entry && next - base == span && physical % span == 0)
            *entry = physical | attributes | PTE_HUGE;
        else if (!*entry || pte_is_table(*entry))
            map_pages(table_below(entry), level + 1, base, next, physical, attributes);
        physical += next - base;
        base = next;
    }
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
            map_pages(direct_level1, LEVEL_DIRECT, base, hole.base, base, PTE_KERNEL_DATA);
        base = hole.base + hole.size;
    }
}

void device_map_range(uint64_t base, uint64_t size)
{
    if (!size || base >= DIRECT_SIZE || size > DIRECT_SIZE - base)
        panic("device registers at %lx, %lx bytes: out of reach", base, size);
    base &= PAGE_MASK;
    map_pages(device_level1, LEVEL_DIRECT, base, (base + size + PAGE_SIZE - 1) & PAGE_MASK, base, PTE_KERNEL_DEVICE);
}

static void map_image(const char *from, const char *to, uint64_t attributes)
{
    map_pages(kernel_top_table, 0, (uint64_t)from, (uint64_t)to, image_address(from), attributes);
}

/* Every table that a user's top table shares is there from now on. */
static void make_tables(void)
{
    kernel_top_table[pte_index(DIRECT_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(direct_level1));
    kernel_top_table[pte_index(DEVICE_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(device_level1));
    kernel_top_table[pte_index(KERNEL_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(image_level1));
    map_image(__text_start, __text_end, PTE_KERNEL_TEXT);
    map_image(__root_start, __data_start, PTE_KERNEL_RODATA);
    map_image(__data_start, __image_end, PTE_KERNEL_DATA);
}

uint64_t arch_empty_table(void)
{
    return kernel_virtual_to_physical(kernel_top_table);
}

_Noreturn void boot_main(uint64_t information, uint32_t protocol)
{
    machine.image_base = image_address(__image_start);
    machine.image_size = (uint64_t)(__image_end - __image_start);
    arch_cpu_begin(0);
    platform_describe(information, protocol);
    make_tables();
    map_direct(machine.tree_base & PAGE_MASK, (machine.tree_base + machine.tree_size + PAGE_SIZE - 1) & PAGE_MASK);
    arch_set_table(arch_empty_table());
    platform_discover(machine.tree_base);
    for (size_t i = 0; i < machine.memory_count; i++)
        map_direct(machine.memory[i].base, machine.memory[i].base + machine.memory[i].size);
    kernel_main();
}

_Noreturn void boot_secondary(uint32_t index)
{
    arch_cpu_begin(index);
    arch_set_table(arch_empty_table());
    __atomic_store_n(&secondary_arrived, index, __ATOMIC_RELEASE);
    kernel_secondary_main(index);
}

bool secondary_has_arrived(uint32_t index)
{
    return __atomic_load_n(&secondary_arrived, __ATOMIC_ACQUIRE) == index;
}
