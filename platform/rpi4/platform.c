/* SPDX-License-Identifier: MIT */
/* Raspberry Pi 4. Where everything is stands in its device tree. */
#include "board.h"
#include "mini_uart.h"
#include "power.h"

static const struct uart *const uarts[] = {&uart_mini, &uart_pl011, NULL};

const struct board board = {.uarts = uarts, .discover = power_discover, .power_off = power_off, .reset = power_reset};
