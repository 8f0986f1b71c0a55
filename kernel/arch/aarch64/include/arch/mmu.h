/* SPDX-License-Identifier: MIT */
/*
 * The kernel image in the kernel's half of the address space, as boot.S maps it. Attribute indices are those of the
 * MAIR_EL1 that boot.S sets. Included by assembly, too.
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

#include <stdint.h>

/* Distance between where the kernel image is linked and where it was loaded; set by boot.S. */
extern uint64_t kernel_image_offset;

static inline uint64_t kernel_virtual_to_physical(const volatile void *address)
{
    return (uint64_t)address - kernel_image_offset;
}

static inline void *kernel_physical_to_virtual(uint64_t physical)
{
    return (void *)(physical + kernel_image_offset);
}

#endif
#endif
