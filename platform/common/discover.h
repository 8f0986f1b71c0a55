/* SPDX-License-Identifier: MIT */
/*
 * What every board with a device tree finds out in the same way. Each function fills its part of `machine` and panics
 * with the reason if that part cannot be used. Boot CPU, after device_tree_open(), in the order below.
 */
#ifndef PLATFORM_DISCOVER_H
#define PLATFORM_DISCOVER_H

#include "platform.h"

void discover_console(void);   /* the UART of stdout-path, else the first; makes the log work */
void discover_arguments(void); /* the command line, and what the kernel itself takes from it */
void discover_memory(void);    /* RAM, the boot archive, and what is reserved in RAM */

/* Reserves pages as the tree could have done; what of them is not memory does not matter. After discover_memory().
 * Panics if they are the kernel image's, the tree's or the archive's. */
void discover_reserve(const struct memory_region *range);

/* Notes registers that are the kernel's alone. */
void discover_kernel_device(const struct memory_region *range);

#endif
