/* SPDX-License-Identifier: MIT */
/* QEMU's virt board, put together from the common parts. Nothing in it is at a fixed address. */
#include <errno.h>

#include <arch/mmu.h>
#include <arch/registers.h>

#include "device_tree.h"
#include "discover.h"
#include "generic_timer.h"
#include "gic.h"
#include "panic.h"
#include "pl011.h"
#include "platform.h"
#include "psci.h"
#include "semihosting.h"
#include "start.h"

void platform_discover(uint64_t tree)
{
    device_tree_open(tree, machine.tree_size);
    discover_console();
    discover_arguments();
    discover_memory();
    psci_discover();
    discover_cpus();
    gic_discover();
    generic_timer_discover();
}

void platform_log(const char *text, size_t bytes)
{
    pl011_write(text, bytes);
}

int cpu_start(uint32_t cpu)
{
    if (cpu < 1 || cpu >= machine.cpu_count)
        return -EINVAL;
    return psci_cpu_on(cpu_affinities[cpu], kernel_virtual_to_physical(secondary_entry), cpu);
}

void platform_power_off(int status)
{
    pl011_flush();
    if (machine.exit_semihosting)
        semihosting_exit(status);
    psci_system_off();
    cpu_halt();
}

void platform_reset(void)
{
    pl011_flush();
    psci_system_reset();
    cpu_halt();
}
