/* SPDX-License-Identifier: MIT */
/* Between the files of this board: what the boot loader and ACPI's tables say. */
#ifndef PLATFORM_PC_H
#define PLATFORM_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

/* The page below 1 MiB through which CPUs start, and where the device tree is written; all below the latter is kept from
 * everybody. */
#define TRAMPOLINE_PAGE 0x8000u
#define TREE_PLACE      0x10000u
#define TREE_BYTES      0x10000u

#define PCI_BUS_SHIFT 20 /* of configuration space: a MiB a bus */

#define IOAPIC_MAX 4u
#define ISA_LINES  16u

struct ioapic {
    uint64_t base;
    uint32_t first; /* the number of its first line */
};

/* What ACPI's MADT says. */
struct acpi_machine {
    uint32_t cpu_numbers[CPUS_MAX]; /* of the local interrupt controllers; the boot CPU's first */
    uint32_t cpu_count;
    struct ioapic ioapics[IOAPIC_MAX];
    uint32_t ioapic_count;
    uint32_t isa_lines[ISA_LINES]; /* where the lines of old go */
    struct memory_region
        pci; /* configuration space of PCI, a MiB a bus, from pci_first_bus on; size 0: there is none */
    uint32_t pci_first_bus;
    uint16_t power_port; /* PM1a's control register; 0: there is none */
    uint16_t power_off;  /* what it takes to power off */
};

extern struct acpi_machine acpi;

/* Reads the tables from the root pointer at this physical address; 0: looks for it where firmware puts it. The lowest
 * 4 GiB are mapped where they are. Panics if there are none, or if they are malformed. */
void acpi_read(uint64_t root_pointer);

/* irq.c: takes the I/O interrupt controllers into use; cpus.c: the numbers of the CPUs; clock.c: how fast counter and
 * timer are. Boot CPU, in platform_discover(). */
void irq_discover(void);
void cpus_discover(void);
void clock_discover(void);

/* Waits, by the counter. After clock_discover(). */
void clock_wait_us(uint64_t microseconds);

#endif
