/* SPDX-License-Identifier: MIT */
/*
 * Where the architecture's boot code leaves for the shared kernel. Both functions run with interrupts masked, the MMU
 * on, FP trapping, no user address space, and at the top of the CPU's own kernel stack.
 */
#ifndef KERNEL_START_H
#define KERNEL_START_H

#include <stdint.h>

#include "layout.h"
#include "platform.h"

/* One for each CPU, growing down; aligned to 16. Defined by the shared kernel. */
extern uint8_t kernel_stacks[CPUS_MAX][KERNEL_STACK_SIZE];

/* The boot CPU, CPU 0: `machine` is filled in, RAM and the kernel's devices are mapped, the log works. */
__attribute__((noreturn)) void kernel_main(void);

/* Every other CPU, in answer to cpu_start(cpu). */
__attribute__((noreturn)) void kernel_secondary_main(uint32_t cpu);

/* The architecture's way in for these CPUs, as firmware wants it: physical address
 * kernel_virtual_to_physical(secondary_entry), MMU off, the CPU's number as argument. */
extern const char secondary_entry[];

/* The same for firmware that passes no argument: the CPU looks for itself in the platform's cpu_affinities. */
extern const char secondary_entry_by_affinity[];

#endif
