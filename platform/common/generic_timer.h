/* SPDX-License-Identifier: MIT */
/* Arm's generic timer: the virtual counter and its compare register, which every CPU has. */
#ifndef PLATFORM_GENERIC_TIMER_H
#define PLATFORM_GENERIC_TIMER_H

#include <stdint.h>

/* Finds the virtual timer's interrupt in the device tree and fills machine.timer_frequency. Panics if either fails. */
void generic_timer_discover(void);

/* The interrupt; the same number on each CPU. */
uint32_t generic_timer_irq(void);

#endif
