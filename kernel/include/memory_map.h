/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own half of the address space: the way between physical and virtual addresses in it, and how the
 * architecture's boot code makes it. Where its parts are: layout.h.
 */
#ifndef KERNEL_MEMORY_MAP_H
#define KERNEL_MEMORY_MAP_H

#include <stdint.h>

#include "layout.h"

/* Its top table. On a machine with one register for both halves every space's top table has these entries, too. */
extern uint64_t kernel_top_table[512];

/* RAM at a physical address, readable and writable. Nothing is there for reserved memory and for the kernel image, but
 * root's part of it. */
static inline void *direct_map(uint64_t physical)
{
    return (void *)(DIRECT_BASE + physical);
}

/* The physical address behind a pointer that direct_map() gave. */
static inline uint64_t direct_map_to_physical(const volatile void *address)
{
    return (uint64_t)address - DIRECT_BASE;
}

/* A device register at a physical address; device_map_range() must have mapped it. */
static inline void *device_map(uint64_t physical)
{
    return (void *)(DEVICE_BASE + physical);
}

/* Maps the registers [base, base + size), bytes, whole pages around them; mapping them again does no harm. Boot CPU,
 * before kernel_main(). Panics if they are out of reach or if the static tables are used up. */
void device_map_range(uint64_t base, uint64_t size);

/*
 * For the architecture's boot code, on the boot CPU, before kernel_main(). Tables come from a small static pool (panics if
 * it is used up); entries only ever go from nothing to something.
 */

/* First: machine.image_base and image_size are set, and kernel_top_table has the tables of direct and device map. */
void memory_map_begin(void);

/* Maps the pages [base, end), of which `table`, at `level`, shows the part, to those from `physical` on, with the largest entries
 * that fit; what is mapped already stays as it is. `attributes`: as pte_kernel_leaf() takes them. */
void map_pages(uint64_t *table, unsigned level, uint64_t base, uint64_t end, uint64_t physical, uint64_t attributes);

/* Shows the pages [base, end), physical, in the direct map, but for what it must not show. */
void map_direct(uint64_t base, uint64_t end);

/* Last: the direct map shows all of machine.memory. */
void map_memory(void);

#endif
