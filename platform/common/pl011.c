/* SPDX-License-Identifier: MIT */
/* PL011 registers, from Arm's technical reference manual of PrimeCell UART PL011. */
#include "pl011.h"

#include <arch/mmu.h>
#include <arch/registers.h>

#define DATA                0x00
#define FLAGS               0x18
#define FLAGS_BUSY          (1u << 3)
#define FLAGS_TRANSMIT_FULL (1u << 5)
#define LINE_CONTROL        0x2c
#define LINE_8N1_FIFO       0x70u
#define CONTROL             0x30
#define CONTROL_ON          0x301u /* UART, transmitter, receiver */
#define CONTROL_ENABLE      0x1u

/* At 9600 baud a character takes a millisecond. */
#define SPINS_MAX 1000000u

static char *registers;

void pl011_init(uint64_t base)
{
    registers = device_map(base);
    if (device_read32(registers + CONTROL) & CONTROL_ENABLE)
        return;
    device_write32(registers + LINE_CONTROL, LINE_8N1_FIFO);
    device_write32(registers + CONTROL, CONTROL_ON);
}

static void wait_while(uint32_t flag)
{
    for (unsigned i = 0; device_read32(registers + FLAGS) & flag && i < SPINS_MAX; i++)
        cpu_relax();
}

static void put(char character)
{
    wait_while(FLAGS_TRANSMIT_FULL);
    device_write32(registers + DATA, (unsigned char)character);
}

void pl011_write(const char *text, size_t bytes)
{
    if (!registers)
        return;
    for (; bytes; text++, bytes--) {
        if (*text == '\n')
            put('\r');
        put(*text);
    }
}

void pl011_flush(void)
{
    if (registers)
        wait_while(FLAGS_BUSY);
}
