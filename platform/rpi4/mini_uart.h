/* SPDX-License-Identifier: MIT */
/* The mini UART, which is what the header's pins 8 and 10 are connected to by default. */
#ifndef PLATFORM_MINI_UART_H
#define PLATFORM_MINI_UART_H

#include "uart.h"

extern const struct uart uart_mini;

#endif
