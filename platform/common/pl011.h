/* SPDX-License-Identifier: MIT */
/* The PL011 UART as log device: polled output alone. Input and interrupts are the console server's. */
#ifndef PLATFORM_PL011_H
#define PLATFORM_PL011_H

#include <stddef.h>
#include <stdint.h>

#define PL011_COMPATIBLE "arm,pl011"
#define PL011_BYTES      0x48u

/* Takes the UART at this physical address, mapped by device_map_range(); turns it on if firmware did not. */
void pl011_init(uint64_t base);

/* Writes text, with a carriage return before each line feed. Before pl011_init() it is lost; characters that the
 * device does not take in bounded time, too. */
void pl011_write(const char *text, size_t bytes);

/* Waits, bounded, until the last character is on the line. */
void pl011_flush(void);

#endif
