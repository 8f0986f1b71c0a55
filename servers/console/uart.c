/* SPDX-License-Identifier: MIT */
/*
 * The list of UART drivers.
 */
#include "uart.h"

#include <base/bits.h>
#include <stddef.h>
#include <string.h>

static const struct uart_driver *const uart_drivers[] = {
    &uart_pl011,
    &uart_mini,
};

const struct uart_driver *uart_find(const char *name)
{
    for (size_t index = 0; index < ARRAY_LENGTH(uart_drivers); index++) {
        if (strcmp(uart_drivers[index]->name, name) == 0)
            return uart_drivers[index];
    }
    return NULL;
}
