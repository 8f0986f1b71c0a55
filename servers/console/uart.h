/* SPDX-License-Identifier: MIT */
/*
 * What the console server asks of a UART driver. A driver is a table of these operations; `registers` is where the
 * device is mapped. Speed and frame were set by the firmware or are the emulator's; no operation waits.
 */
#ifndef CONSOLE_UART_H
#define CONSOLE_UART_H

#include <stdbool.h>
#include <stdint.h>

struct uart_driver {
    const char *name;

    /* Turns on FIFOs and the receive interrupt, and forgets interrupts from before. */
    void (*start)(volatile void *registers);

    /* Hands over one byte; false: the transmit FIFO is full. */
    bool (*put)(volatile void *registers, uint8_t byte);

    /* Takes one received byte; false: there is none. Bytes received with an error are thrown away. */
    bool (*get)(volatile void *registers, uint8_t *byte);

    /* Withdraws the device's interrupt request, after all bytes were taken. */
    void (*acknowledge)(volatile void *registers);
};

extern const struct uart_driver uart_mini, uart_ns16550, uart_pl011;

/* Those that the architecture's boards may have, ended by NULL: arch/ARCHITECTURE/uarts.c. */
extern const struct uart_driver *const uart_drivers[];

/* The driver of that name, or NULL. */
const struct uart_driver *uart_find(const char *name);

#endif
