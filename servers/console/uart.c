/* SPDX-License-Identifier: MIT */
/*
 * The list of UART drivers.
 */
#include "uart.h"

#include <stddef.h>
#include <string.h>

const struct uart_driver *uart_find(const char *name)
{
    for (size_t index = 0; uart_drivers[index]; index++) {
        if (strcmp(uart_drivers[index]->name, name) == 0)
            return uart_drivers[index];
    }
    return NULL;
}
