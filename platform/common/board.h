/* SPDX-License-Identifier: MIT */
/*
 * What a board has of its own. The functions of platform.h that would be alike on all boards (board.c) are put together
 * from the common parts and this.
 */
#ifndef PLATFORM_BOARD_H
#define PLATFORM_BOARD_H

#include "uart.h"

struct board {
    const struct uart *const *uarts; /* that it may have, NULL at the end; the first is taken if the tree names none */
    void (*discover)(void);          /* its own devices, after all others; NULL: none */
    void (*power_off)(void);         /* may return, if the power does not go at once; NULL: there is only PSCI */
    void (*reset)(void);             /* the same */
};

/* Each board's platform.c has it. */
extern const struct board board;

#endif
