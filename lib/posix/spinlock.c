/* SPDX-License-Identifier: MIT */
/*
 * How a program waits for a spinlock: a few turns on the processor, then it lets others run, the owner among them.
 */
#include <base/lock.h>
#include <quire/clock.h>
#include <stddef.h>

#define TURNS_BEFORE_SLEEP 64u
#define SLEEP_NS           20000UL

void spinlock_wait(uint32_t turns)
{
    /* Yielding alone would not do: it never lets an owner of lower priority run. */
    if (turns > TURNS_BEFORE_SLEEP)
        clock_sleep_until(clock_now_ns() + SLEEP_NS);
    else
        (void)sys_yield();
}

/* The library's own locks are leaves, each in a file of its own: there is no order to check. */
struct lock_stack *lock_stack(void)
{
    return NULL;
}
