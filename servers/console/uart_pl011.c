/* SPDX-License-Identifier: MIT */
/*
 * Arm's PL011 UART.
 */
#include "uart.h"

#include <stddef.h>

struct pl011_registers {
    uint32_t data;
    uint32_t receive_status;
    uint32_t unused[4];
    uint32_t flags;
    uint32_t unused2;
    uint32_t low_power;
    uint32_t baud_integer, baud_fraction;
    uint32_t line_control;
    uint32_t control;
    uint32_t fifo_levels;
    uint32_t interrupt_mask;
    uint32_t raw_interrupts;
    uint32_t masked_interrupts;
    uint32_t interrupt_clear;
};
_Static_assert(offsetof(struct pl011_registers, flags) == 0x18, "UARTFR");
_Static_assert(offsetof(struct pl011_registers, line_control) == 0x2c, "UARTLCR_H");
_Static_assert(offsetof(struct pl011_registers, interrupt_clear) == 0x44, "UARTICR");

#define DATA_ERRORS         0xf00u
#define FLAG_RECEIVE_EMPTY  0x10u
#define FLAG_TRANSMIT_FULL  0x20u
#define LINE_FIFOS          0x10u
#define CONTROL_ENABLE      0x001u
#define CONTROL_TRANSMIT    0x100u
#define CONTROL_RECEIVE     0x200u
#define LEVELS_FIRST_EIGHTH 0x0u
#define INTERRUPT_RECEIVE   0x10u
#define INTERRUPT_TIMEOUT   0x40u /* bytes wait in the FIFO, fewer than the level */
#define INTERRUPT_ALL       0x7ffu

static void pl011_start(volatile void *registers)
{
    volatile struct pl011_registers *uart = registers;

    uart->interrupt_mask = 0;
    uart->line_control |= LINE_FIFOS;
    uart->fifo_levels = LEVELS_FIRST_EIGHTH;
    uart->control |= CONTROL_ENABLE | CONTROL_TRANSMIT | CONTROL_RECEIVE;
    uart->interrupt_clear = INTERRUPT_ALL;
    uart->interrupt_mask = INTERRUPT_RECEIVE | INTERRUPT_TIMEOUT;
}

static bool pl011_put(volatile void *registers, uint8_t byte)
{
    volatile struct pl011_registers *uart = registers;

    if (uart->flags & FLAG_TRANSMIT_FULL)
        return false;
    uart->data = byte;
    return true;
}

static bool pl011_get(volatile void *registers, uint8_t *byte)
{
    volatile struct pl011_registers *uart = registers;

    while (!(uart->flags & FLAG_RECEIVE_EMPTY)) {
        const uint32_t data = uart->data;
        if (data & DATA_ERRORS)
            continue;
        *byte = (uint8_t)data;
        return true;
    }
    return false;
}

static void pl011_acknowledge(volatile void *registers)
{
    volatile struct pl011_registers *uart = registers;
    uart->interrupt_clear = INTERRUPT_RECEIVE | INTERRUPT_TIMEOUT;
}

const struct uart_driver uart_pl011 = {
    .name = "pl011",
    .start = pl011_start,
    .put = pl011_put,
    .get = pl011_get,
    .acknowledge = pl011_acknowledge,
};
