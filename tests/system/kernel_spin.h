/* SPDX-License-Identifier: MIT */
/* Threads that keep a CPU busy and say how far they got, and a use of all FP registers. */
#ifndef TESTS_KERNEL_SPIN_H
#define TESTS_KERNEL_SPIN_H

#include <stdatomic.h>
#include <stdint.h>

struct thread;

/* A thread of this program that counts until told to stop. It makes no system call but SYS_GETCPU now and then. */
struct spinner {
    struct thread *thread;
    volatile uint64_t count;
    volatile unsigned cpu; /* it ran on last */
    atomic_bool quit;
};

/* Starts one on these CPUs, or fails the program. It has counted already on return if it may run beside the caller. */
void spinner_start(struct spinner *spinner, uint64_t cpus, unsigned priority);
void spinner_end(struct spinner *spinner);

/* Fills the FP registers with what `pattern` makes of them, yields `yields` times and counts `turns`, and looks whether
 * all is still there. 0, or bits that are wrong. */
uint64_t fp_keep(uint64_t pattern, uint64_t yields, uint64_t turns);

/* For a thread: the sum of its FP registers is not zero. */
int fp_any_set(void *argument);

#endif
