/* SPDX-License-Identifier: MIT */
/* QEMU's PCs, put together. */
#include <arch/ipi.h>

#include "arch.h"
#include "board.h"
#include "device_tree.h"
#include "discover.h"
#include "pc.h"

/* Where the emulator is told the exit status, a byte; see board.py. */
#define EXIT_STATUS_PORT 0xf4u

#define RESET_PORT    0xcf9u
#define RESET_PREPARE 0x02u
#define RESET_NOW     0x06u

extern const struct uart uart_ns16550;

static const struct uart *const uarts[] = {&uart_ns16550, NULL};

const struct board board = {.uarts = uarts};

void platform_discover(uint64_t tree)
{
    device_tree_open(tree, machine.tree_size);
    discover_console();
    discover_arguments();
    discover_memory();
    lapic_discover();
    irq_discover();
    cpus_discover();
    clock_discover();
}

void platform_power_off(int status)
{
    uart_flush();
    if (machine.exit_semihosting)
        port_write8(EXIT_STATUS_PORT, (uint8_t)status);
    if (acpi.power_port)
        port_write16(acpi.power_port, acpi.power_off);
    platform_reset();
}

void platform_reset(void)
{
    uart_flush();
    port_write8(RESET_PORT, RESET_PREPARE);
    port_write8(RESET_PORT, RESET_NOW);
    cpu_reset();
}
