/* SPDX-License-Identifier: MIT */
/* The UART drivers of the boards of x86-64. */
#include "../../uart.h"

#include <stddef.h>

const struct uart_driver *const uart_drivers[] = {&uart_ns16550, NULL};
