/* SPDX-License-Identifier: MIT */
/*
 * UARTs as log device: polled output alone. Input and interrupts are the console server's. A driver is a table of
 * operations; each board lists those that it can have (board.h).
 */
#ifndef PLATFORM_UART_H
#define PLATFORM_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uart {
    const char *compatible; /* of its node in the device tree */
    const char *driver;     /* the console server's name for it */
    uint32_t bytes;         /* of its registers, none of which is on another page than the first */

    /* Makes it transmit, if firmware did not. Registers are mapped. */
    void (*init)(volatile void *registers);

    /* Hands over one character. False: the device has no room for it yet. */
    bool (*put)(volatile void *registers, char character);

    /* True while characters that were handed over are not on the line yet. */
    bool (*busy)(volatile void *registers);
};

extern const struct uart uart_pl011;

/* The driver of the board's list for a node; NULL if there is none. */
const struct uart *uart_of_node(int node);

/* Makes the UART at this physical address, mapped by device_map_range(), the log device. */
void uart_open(const struct uart *uart, uint64_t base);

/* Waits, bounded, until the last character is on the line. */
void uart_flush(void);

#endif
