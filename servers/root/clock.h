/* SPDX-License-Identifier: MIT */
/* The time, for root's own bookkeeping. */
#ifndef ROOT_CLOCK_H
#define ROOT_CLOCK_H

#include <quire/arch/syscall.h>

#define NS_PER_SECOND 1000000000UL

/* Nanoseconds since the machine's counter began. */
static inline uint64_t clock_now(void)
{
    uint64_t ticks = clock_ticks();
    uint64_t frequency = clock_frequency();
    return ticks / frequency * NS_PER_SECOND + ticks % frequency * NS_PER_SECOND / frequency;
}

#endif
