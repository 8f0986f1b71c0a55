/* SPDX-License-Identifier: MIT */
/*
 * What every board with a device tree finds out in the same way. Each function fills its part of `machine` and panics
 * with the reason if that part cannot be used. Boot CPU, after device_tree_open(), in the order below.
 */
#ifndef PLATFORM_DISCOVER_H
#define PLATFORM_DISCOVER_H

#include "platform.h"

/* Affinities of the CPUs that can be started; the boot CPU's is the first. Constant after discover_cpus(). */
extern uint64_t cpu_affinities[CPUS_MAX];

/* Number of the CPU that this runs on. */
uint32_t discover_this_cpu(void);

void discover_console(void);   /* the UART of stdout-path, else the first PL011; makes the log work */
void discover_arguments(void); /* the command line, and what the kernel itself takes from it */
void discover_memory(void);    /* RAM, the boot archive, and what is reserved in RAM */
void discover_cpus(void);

/* Notes registers that are the kernel's alone. */
void discover_kernel_device(const struct memory_region *range);

#endif
