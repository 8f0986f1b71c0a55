/* SPDX-License-Identifier: MIT */
/* Registers from the manual of BCM2711's peripherals, 2.2, Auxiliaries. Speed and pins are the firmware's choice. */
#include "mini_uart.h"

#include "arch.h"

#define DATA                     0x00
#define LINE_STATUS              0x14
#define LINE_STATUS_CAN_TRANSMIT (1u << 5)
#define LINE_STATUS_IDLE         (1u << 6)
#define CONTROL                  0x20
#define CONTROL_TRANSMIT         (1u << 1)
#define BYTES                    0x40u

static void init(volatile void *registers)
{
    volatile char *control = (volatile char *)registers + CONTROL;
    device_write32(control, device_read32(control) | CONTROL_TRANSMIT);
}

static bool put(volatile void *registers, char character)
{
    if (!(device_read32((volatile char *)registers + LINE_STATUS) & LINE_STATUS_CAN_TRANSMIT))
        return false;
    device_write32((volatile char *)registers + DATA, (unsigned char)character);
    return true;
}

static bool busy(volatile void *registers)
{
    return !(device_read32((volatile char *)registers + LINE_STATUS) & LINE_STATUS_IDLE);
}

const struct uart uart_mini = {.compatible = "brcm,bcm2835-aux-uart",
                               .driver = "mini-uart",
                               .bytes = BYTES,
                               .init = init,
                               .put = put,
                               .busy = busy};
