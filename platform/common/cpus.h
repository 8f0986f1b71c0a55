/* SPDX-License-Identifier: MIT */
/* The machine's CPUs, and their start by PSCI or by a spin table, as the node of each says. */
#ifndef PLATFORM_CPUS_H
#define PLATFORM_CPUS_H

#include "platform.h"

/* Affinities of the CPUs that can be started; the boot CPU's is the first. Constant after discover_cpus(). */
extern uint64_t cpu_affinities[CPUS_MAX];

/* Finds them; panics if the boot CPU is not among them. Boot CPU, after discover_memory() and psci_discover(). */
void discover_cpus(void);

/* Number of the CPU that this runs on. */
uint32_t discover_this_cpu(void);

#endif
