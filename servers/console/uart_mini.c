/* SPDX-License-Identifier: MIT */
/*
 * The mini UART of Broadcom's BCM283x and BCM2711, from the manual of BCM2711's peripherals (2.2, Auxiliaries), whose
 * interrupt enable bits are the other way round: reception is bit 0.
 */
#include <stddef.h>

#include "uart.h"

struct mini_registers {
    uint32_t data;
    uint32_t interrupt_enable;
    uint32_t interrupt_identify;
    uint32_t line_control;
    uint32_t modem_control;
    uint32_t line_status;
    uint32_t modem_status;
    uint32_t scratch;
    uint32_t control;
    uint32_t status;
    uint32_t baud;
};
_Static_assert(offsetof(struct mini_registers, line_status) == 0x14, "AUX_MU_LSR_REG");
_Static_assert(offsetof(struct mini_registers, baud) == 0x28, "AUX_MU_BAUD_REG");

#define DATA_BYTE                0xffu
#define ENABLE_RECEIVE           0x1u
#define ENABLE_AS_16550          0xcu /* as in a 16550 these two must be set for the first to work */
#define LINE_CONTROL_8_BITS      0x3u
#define LINE_STATUS_DATA         0x01u
#define LINE_STATUS_CAN_TRANSMIT 0x20u
#define CONTROL_ON               0x3u /* receiver, transmitter */

static void mini_start(volatile void *registers)
{
    volatile struct mini_registers *uart = registers;

    uart->interrupt_enable = 0;
    uart->line_control = LINE_CONTROL_8_BITS;
    uart->control = CONTROL_ON;
    uart->interrupt_enable = ENABLE_RECEIVE | ENABLE_AS_16550;
}

static bool mini_put(volatile void *registers, uint8_t byte)
{
    volatile struct mini_registers *uart = registers;

    if (!(uart->line_status & LINE_STATUS_CAN_TRANSMIT))
        return false;
    uart->data = byte;
    return true;
}

static bool mini_get(volatile void *registers, uint8_t *byte)
{
    volatile struct mini_registers *uart = registers;

    /* The device has no mark for damaged bytes. */
    if (!(uart->line_status & LINE_STATUS_DATA))
        return false;
    *byte = uart->data & DATA_BYTE;
    return true;
}

/* The request is the state of the FIFO and ends with the last byte. */
static void mini_acknowledge(volatile void *registers)
{
    (void)registers;
}

const struct uart_driver uart_mini = {
    .name = "mini-uart",
    .start = mini_start,
    .put = mini_put,
    .get = mini_get,
    .acknowledge = mini_acknowledge,
};
