/* SPDX-License-Identifier: MIT */
/*
 * There is no switch for the power. After a reset the firmware looks which partition it shall boot from, in bits of the
 * reset status that outlive the reset, and stops if that is number 63.
 */
#include "power.h"

#include "arch.h"
#include "device_tree.h"
#include "discover.h"

#define COMPATIBLE "brcm,bcm2835-pm-wdt"

#define RESET_CONTROL          0x1c
#define RESET_CONTROL_KIND     0x30u
#define RESET_CONTROL_FULL     0x20u
#define RESET_STATUS           0x20
#define RESET_STATUS_PARTITION 0x555u /* all of the number's bits, every other one from 0 */
#define WATCHDOG               0x24
#define WATCHDOG_TICKS         10u /* of 16 us */
#define PASSWORD               0x5a000000u
#define PASSWORD_MASK          0xff000000u

static char *registers;

void power_discover(void)
{
    struct memory_region range;
    int node = device_tree_next_compatible(-1, COMPATIBLE);

    if (node < 0 || !device_tree_range(node, 0, &range) || range.size < WATCHDOG + sizeof(uint32_t))
        return;
    discover_kernel_device(&range);
    device_map_range(range.base, range.size);
    registers = device_map(range.base);
}

static void change(uint32_t offset, uint32_t clear, uint32_t set)
{
    uint32_t value = device_read32(registers + offset) & ~(PASSWORD_MASK | clear);
    device_write32(registers + offset, PASSWORD | value | set);
}

static void start_watchdog(void)
{
    device_write32(registers + WATCHDOG, PASSWORD | WATCHDOG_TICKS);
    change(RESET_CONTROL, RESET_CONTROL_KIND, RESET_CONTROL_FULL);
}

void power_off(void)
{
    if (!registers)
        return;
    change(RESET_STATUS, 0, RESET_STATUS_PARTITION);
    start_watchdog();
}

void power_reset(void)
{
    if (!registers)
        return;
    change(RESET_STATUS, RESET_STATUS_PARTITION, 0);
    start_watchdog();
}
