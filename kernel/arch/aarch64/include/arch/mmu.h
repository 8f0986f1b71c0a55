/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own half of the address space, as boot.S and boot.c build it, and the way between physical and virtual
 * addresses in it. Attribute indices are those of the MAIR_EL1 that boot.S sets. Included by assembly, too.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "layout.h"

/* Attribute indices of a translation table entry (bits 2..4): 0 is memory, write-back; 1 is device, nGnRE. */
#define MAIR_INDEX_NORMAL 0
#define MAIR_INDEX_DEVICE 1
#define MAIR_VALUE        0x04ff

/* Tables of 512 image pages each that boot.S sets aside: the image is at most 16 MiB. */
#define IMAGE_TABLES_MAX 8

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include <quire/abi.h>

/* Distance between where the kernel image is linked and where it was loaded; set by boot.S. */
extern uint64_t kernel_image_offset;

/* A top-level table with nothing in it: what TTBR0_EL1 holds while no user address space is in use. */
extern uint64_t empty_table[512];

/* Physical address of something inside the kernel image. */
static inline uint64_t kernel_virtual_to_physical(const volatile void *address)
{
    return (uint64_t)address - kernel_image_offset;
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

#endif
#endif
