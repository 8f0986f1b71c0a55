/* SPDX-License-Identifier: MIT */
/*
 * The clock of deadlines: nanoseconds since the machine's counter began.
 */
#ifndef QUIRE_CLOCK_H
#define QUIRE_CLOCK_H

#include <quire/syscall.h>

#define NS_PER_SECOND 1000000000UL

/* Never goes back. Asks no server and not the kernel. */
static inline uint64_t clock_now_ns(void)
{
    return (uint64_t)((unsigned __int128)clock_ticks() * NS_PER_SECOND / clock_frequency());
}

/* Returns not before clock_now_ns() reaches `deadline`. */
static inline void clock_sleep_until(uint64_t deadline)
{
    uint64_t bits;
    while (clock_now_ns() < deadline) {
        /* ETIMEDOUT is how it ends; any other error would come again, so then the loop is all that waits. */
        if (sys_wait(SLOT_NONE, deadline, &bits) == 0)
            continue;
    }
}

#endif
