/* SPDX-License-Identifier: MIT */
/* From the device tree's address to a known machine, and to its end: alike on all boards, but for what board.h names. */
#include "board.h"

#include "arch.h"
#include "cpus.h"
#include "device_tree.h"
#include "discover.h"
#include "generic_timer.h"
#include "gic.h"
#include "platform.h"
#include "psci.h"
#include "semihosting.h"

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
    if (board.discover)
        board.discover();
}

void platform_power_off(int status)
{
    uart_flush();
    if (machine.exit_semihosting)
        semihosting_exit(status);
    psci_system_off();
    if (board.power_off)
        board.power_off();
    cpu_halt();
}

void platform_reset(void)
{
    uart_flush();
    psci_system_reset();
    if (board.reset)
        board.reset();
    cpu_halt();
}
