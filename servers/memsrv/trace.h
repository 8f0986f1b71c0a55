/* SPDX-License-Identifier: MIT */
/*
 * Tracing: each worker has a ring of events, made when tracing is first turned on, and kept. While it is off, a worker
 * looks at one word for each message, and where objects of its caches come and go.
 */
#ifndef MEMSRV_TRACE_H
#define MEMSRV_TRACE_H

#include <quire/trace.h>

#include "worker.h"

/* Tracing is on. Atomic; workers have copies of it. */
extern uint32_t trace_on;

/* Writes an event for the message that the worker has in hand. By the worker itself, while tracing is on. */
void trace_write(struct memsrv_context *worker, enum trace_kind kind, uint64_t a, uint64_t b);

/* The same for the calling worker, if tracing is on. */
static inline void trace(enum trace_kind kind, uint64_t a, uint64_t b)
{
    if (__builtin_expect(__atomic_load_n(&trace_on, __ATOMIC_RELAXED), 0))
        trace_write(worker_current(), kind, a, b);
}

/* The same where the worker is known already. */
static inline void trace_by(struct memsrv_context *worker, enum trace_kind kind, uint64_t a, uint64_t b)
{
    if (__builtin_expect(worker->watch & WATCH_TRACE, 0))
        trace_write(worker, kind, a, b);
}

/* Has a message handled as fault_answer() and memsrv_dispatch() do, with events before and after. What the worker now
 * writes belongs to the message. */
int trace_handle(struct memsrv_context *worker, struct message *m);

/* For a message that was set aside and is taken up again. */
void trace_unpark(struct memsrv_context *worker, const struct message *m, int status);

#endif
