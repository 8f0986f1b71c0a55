/* SPDX-License-Identifier: MIT */
/* PSCI, version 0.2 and later: firmware that starts CPUs and switches the machine off. */
#ifndef PLATFORM_PSCI_H
#define PLATFORM_PSCI_H

#include <stdint.h>

/* Finds firmware and the way to call it in the device tree. Without it there is one CPU and no power switch. */
void psci_discover(void);

/* Starts the CPU with this affinity at a physical address, x0 = argument. 0 or negative errno. */
__attribute__((warn_unused_result)) int psci_cpu_on(uint64_t affinity, uint64_t entry, uint64_t argument);

/* Return only if firmware is not there or refuses. */
void psci_system_off(void);
void psci_system_reset(void);

#endif
