/* SPDX-License-Identifier: MIT */
/* QEMU's virt board. Nothing in it is at a fixed address, and nothing is its own. */
#include "board.h"

static const struct uart *const uarts[] = {&uart_pl011, NULL};

const struct board board = {.uarts = uarts};
