/* SPDX-License-Identifier: MIT */
/*
 * The 16550 at a PC's ports, from National Semiconductor's data sheet of the PC16550D. Where the device is mapped there is
 * nothing: the mapping is the right to use its ports, whose number is the offset in the page.
 */
#include "../../uart.h"

#define DATA                0u
#define INTERRUPT_ENABLE    1u
#define ENABLE_RECEIVE      0x01u
#define INTERRUPT_IDENTIFY  2u
#define FIFO_CONTROL        2u
#define FIFO_ON             0x01u
#define LINE_CONTROL        3u
#define LINE_8N1            0x03u
#define MODEM_CONTROL       4u
#define MODEM_ON            0x0bu /* ready, and the interrupt's gate of a PC */
#define LINE_STATUS         5u
#define STATUS_DATA         0x01u
#define STATUS_ERRORS       0x1eu
#define STATUS_CAN_TRANSMIT 0x20u
#define OFFSET_MASK         0xfffu

static uint16_t port(volatile void *registers, uint32_t offset)
{
    return (uint16_t)(((uintptr_t)registers & OFFSET_MASK) + offset);
}

static uint8_t read(volatile void *registers, uint32_t offset)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port(registers, offset)) : "memory");
    return value;
}

static void write(volatile void *registers, uint32_t offset, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port(registers, offset)) : "memory");
}

static void ns16550_start(volatile void *registers)
{
    write(registers, INTERRUPT_ENABLE, 0);
    write(registers, LINE_CONTROL, LINE_8N1);
    write(registers, FIFO_CONTROL, FIFO_ON);
    write(registers, MODEM_CONTROL, MODEM_ON);
    (void)read(registers, INTERRUPT_IDENTIFY);
    write(registers, INTERRUPT_ENABLE, ENABLE_RECEIVE);
}

static bool ns16550_put(volatile void *registers, uint8_t byte)
{
    if (!(read(registers, LINE_STATUS) & STATUS_CAN_TRANSMIT))
        return false;
    write(registers, DATA, byte);
    return true;
}

static bool ns16550_get(volatile void *registers, uint8_t *byte)
{
    uint8_t status;

    while ((status = read(registers, LINE_STATUS)) & STATUS_DATA) {
        *byte = read(registers, DATA);
        if (!(status & STATUS_ERRORS))
            return true;
    }
    return false;
}

/* The request ends with the last byte; what else there may be, with a look at what it is. */
static void ns16550_acknowledge(volatile void *registers)
{
    (void)read(registers, INTERRUPT_IDENTIFY);
}

const struct uart_driver uart_ns16550 = {
    .name = "ns16550",
    .start = ns16550_start,
    .put = ns16550_put,
    .get = ns16550_get,
    .acknowledge = ns16550_acknowledge,
};
