/* SPDX-License-Identifier: MIT */
/* QEMU's virt board, put together from the common parts. Nothing in it is at a fixed address. */
#include <arch/registers.h>

#include "cpus.h"
#include "device_tree.h"
#include "discover.h"
#include "generic_timer.h"
#include "gic.h"
#include "platform.h"
#include "psci.h"
#include "semihosting.h"
#include "uart.h"

const struct uart *const board_uarts[] = {&uart_pl011, NULL};

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

void platform_power_off(int status)
{
    uart_flush();
    if (machine.exit_semihosting)
        semihosting_exit(status);
    psci_system_off();
    cpu_halt();
}

void platform_reset(void)
{
    uart_flush();
    psci_system_reset();
    cpu_halt();
}
