/* SPDX-License-Identifier: MIT */
/* PL011 registers, from Arm's technical reference manual of PrimeCell UART PL011. */
#include "arch.h"
#include "uart.h"

#define DATA                0x00
#define FLAGS               0x18
#define FLAGS_BUSY          (1u << 3)
#define FLAGS_TRANSMIT_FULL (1u << 5)
#define LINE_CONTROL        0x2c
#define LINE_8N1_FIFO       0x70u
#define CONTROL             0x30
#define CONTROL_ON          0x301u /* UART, transmitter, receiver */
#define CONTROL_ENABLE      0x1u
#define BYTES               0x48u

static void init(volatile void *registers)
{
    if (device_read32((volatile char *)registers + CONTROL) & CONTROL_ENABLE)
        return;
    device_write32((volatile char *)registers + LINE_CONTROL, LINE_8N1_FIFO);
    device_write32((volatile char *)registers + CONTROL, CONTROL_ON);
}

static bool put(volatile void *registers, char character)
{
    if (device_read32((volatile char *)registers + FLAGS) & FLAGS_TRANSMIT_FULL)
        return false;
    device_write32((volatile char *)registers + DATA, (unsigned char)character);
    return true;
}

static bool busy(volatile void *registers)
{
    return device_read32((volatile char *)registers + FLAGS) & FLAGS_BUSY;
}

const struct uart uart_pl011 = {
    .compatible = "arm,pl011", .driver = "pl011", .bytes = BYTES, .init = init, .put = put, .busy = busy};
