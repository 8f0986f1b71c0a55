/* SPDX-License-Identifier: MIT */
/*
 * The kernel image in the kernel's half of the address space, as boot.c maps it. Included by assembly, too.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include "layout.h"

/* What boot.S maps: the lowest 4 GiB where they are, and the first of them at KERNEL_BASE. */
#define BOOT_MAP_GIBIBYTES 4

#ifndef __ASSEMBLER__

#include <stdint.h>

/* The image is always loaded where it is linked for. */
static inline uint64_t kernel_virtual_to_physical(const volatile void *address)
{
    return (uint64_t)address - KERNEL_BASE;
}

static inline void *kernel_physical_to_virtual(uint64_t physical)
{
    return (void *)(physical + KERNEL_BASE);
}

/*
 * The machine's ports, as if they were registers at the end of what the device map shows: who may map that page of a
 * space may use those of the ports that arch_allow_ports() named. Nothing is ever accessed at these addresses.
 */
#define PORT_BASE (DIRECT_SIZE - 0x10000)

#endif
#endif
