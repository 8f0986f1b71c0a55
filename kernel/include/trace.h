/* SPDX-License-Identifier: MIT */
/* Tracing: each CPU has a ring of events, written with the kernel lock held. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <quire/trace.h>

#include "kernel.h"

/* Events of a CPU that are kept. */
#define TRACE_RING_EVENTS 512u

/* Writes an event of a thread's fault into the ring of this CPU. */
void trace_write(enum trace_kind kind, const struct thread *thread, uint64_t b);

/* Writes it if tracing is on: one load and a branch otherwise. */
static inline void trace_fault(const struct cpu *cpu, enum trace_kind kind, const struct thread *thread, uint64_t b)
{
    if (__builtin_expect(cpu->tracing, 0))
        trace_write(kind, thread, b);
}

/* SYSTEM_TRACE and SYSTEM_TRACE_READ of `caller`; `a` and `b` are untrusted. */
long trace_set(uint64_t on);
long trace_read(struct thread *caller, uint64_t cpu, uint64_t cursor);

#endif
