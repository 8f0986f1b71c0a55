/* SPDX-License-Identifier: MIT */
/* The 16550 at a PC's ports, from National Semiconductor's data sheet of the PC16550D. */
#include "arch.h"
#include "uart.h"

#define DATA                0u
#define INTERRUPT_ENABLE    1u
#define FIFO_CONTROL        2u
#define FIFO_ON             0x07u /* and empty */
#define LINE_CONTROL        3u
#define LINE_8N1            0x03u
#define LINE_STATUS         5u
#define STATUS_CAN_TRANSMIT 0x20u
#define STATUS_ALL_SENT     0x40u
#define BYTES               8u

/* The low bits of the place at which a port is said to be are its number: see PORT_BASE. */
static uint16_t port(volatile void *registers, uint32_t offset)
{
    return (uint16_t)((uint64_t)registers + offset);
}

static void init(volatile void *registers)
{
    port_write8(port(registers, INTERRUPT_ENABLE), 0);
    port_write8(port(registers, LINE_CONTROL), LINE_8N1);
    port_write8(port(registers, FIFO_CONTROL), FIFO_ON);
}

static bool put(volatile void *registers, char character)
{
    if (!(port_read8(port(registers, LINE_STATUS)) & STATUS_CAN_TRANSMIT))
        return false;
    port_write8(port(registers, DATA), (uint8_t)character);
    return true;
}

static bool busy(volatile void *registers)
{
    return !(port_read8(port(registers, LINE_STATUS)) & STATUS_ALL_SENT);
}

const struct uart uart_ns16550 = {
    .compatible = "ns16550a", .driver = "ns16550", .bytes = BYTES, .init = init, .put = put, .busy = busy};
