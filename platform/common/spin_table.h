/* SPDX-License-Identifier: MIT */
/*
 * CPUs that wait in a loop of the firmware's for an address to be written where their node says. Of the address they
 * come in at, firmware promises nothing more than that it runs: see secondary_entry_by_affinity in start.h.
 */
#ifndef PLATFORM_SPIN_TABLE_H
#define PLATFORM_SPIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Reads where the CPU of this node waits; maps the place, and reserves its page if it is memory. False: the node does
 * not say. Boot CPU, after discover_memory(). Panics if the place is misaligned or the kernel's own. */
__attribute__((warn_unused_result)) bool spin_table_discover(int node, uint64_t *release);

/* Sends the CPU that waits there on its way to the physical address `entry`. */
void spin_table_release(uint64_t release, uint64_t entry);

#endif
