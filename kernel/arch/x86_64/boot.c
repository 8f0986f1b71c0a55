/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space, of which boot.S has made a first form. Runs on the boot CPU alone, before kernel_main().
 */
#include <arch/boot.h>

#include "arch.h"
#include "platform.h"
#include "start.h"

extern char __image_end[], __root_start[], __text_start[], __text_end[], __data_start[];

uint64_t kernel_top_table[512] __attribute__((aligned(4096)));
static uint64_t image_level1[512] __attribute__((aligned(4096)));
uint32_t secondary_index;
static uint32_t secondary_arrived;

static void map_image(const char *from, const char *to, uint64_t attributes)
{
    map_pages(kernel_top_table, 0, (uint64_t)from, (uint64_t)to, kernel_virtual_to_physical(from), attributes);
}

/* Every table that a user's top table shares is there from now on. */
static void make_tables(void)
{
    kernel_top_table[pte_index(KERNEL_BASE, 0)] = pte_for_table(kernel_virtual_to_physical(image_level1));
    map_image(__text_start, __text_end, PTE_KERNEL_TEXT);
    map_image(__root_start, __data_start, PTE_KERNEL_RODATA);
    map_image(__data_start, __image_end, PTE_KERNEL_MEMORY);
}

uint64_t arch_empty_table(void)
{
    return kernel_virtual_to_physical(kernel_top_table);
}

_Noreturn void boot_main(uint64_t information, uint32_t protocol)
{
    memory_map_begin();
    arch_cpu_begin(0);
    platform_describe(information, protocol);
    make_tables();
    map_direct(machine.tree_base & PAGE_MASK, (machine.tree_base + machine.tree_size + PAGE_SIZE - 1) & PAGE_MASK);
    arch_set_table(arch_empty_table());
    platform_discover(machine.tree_base);
    map_memory();
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
