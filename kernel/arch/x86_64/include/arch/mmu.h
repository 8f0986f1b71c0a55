/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own half of the address space, as boot.c builds it, and the way between physical and virtual addresses
 * in it. Included by assembly, too.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "layout.h"

/* What boot.S maps: the lowest 4 GiB where they are, and the first of them at KERNEL_BASE. */
#define BOOT_MAP_GIBIBYTES 4

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include <quire/abi.h>

/* The kernel's half, and nothing in the user's. */
extern uint64_t kernel_top_table[512];

/* Physical address of something inside the kernel image, which is always loaded where it is linked for. */
static inline uint64_t kernel_virtual_to_physical(const volatile void *address)
{
    return (uint64_t)address - KERNEL_BASE;
}

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
 * The machine's ports, as if they were registers at the end of what the device map shows: who may map that page of a
 * space may use those of the ports that arch_allow_ports() named. Nothing is ever accessed at these addresses.
 */
#define PORT_BASE (DIRECT_SIZE - 0x10000)

#endif
#endif
