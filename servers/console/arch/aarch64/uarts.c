/* SPDX-License-Identifier: MIT */
/* The UART drivers of the boards of AArch64. */
#include "../../uart.h"

#include <stddef.h>

const struct uart_driver *const uart_drivers[] = {&uart_pl011, &uart_mini, NULL};
