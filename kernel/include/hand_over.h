/* SPDX-License-Identifier: MIT */
/*
 * The switch from one thread to another on the IPC path, inline: what sched_next() does when nothing more important is
 * ready and no FP registers are involved, which is nearly always. Lock: the kernel lock.
 */
#ifndef KERNEL_HAND_OVER_H
#define KERNEL_HAND_OVER_H

#include <arch/cpu.h>

#include "kernel.h"

/* The running thread is blocked and `next`, runnable and in no queue, goes on here. Returns the thread to run. */
static inline struct thread *hand_over(struct cpu *cpu, struct thread *next)
{
    if (__builtin_expect(cpu->queue.ready >> next->effective >> 1 || cpu->fp_enabled || cpu->fp_loaded == next, 0))
        return sched_next(next);
    cpu->current->tls = arch_get_tls();
    cpu->current = next;
    next->cpu = (uint8_t)cpu->index;
    arch_set_tls(next->tls, next->buffer_address);
    if (cpu->aspace != next->aspace) {
        cpu->aspace = next->aspace;
        arch_set_table(next->aspace->root);
    }
    return next;
}

#endif
