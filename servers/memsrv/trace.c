/* SPDX-License-Identifier: MIT */
/* Tracing: see trace.h. */
#include "trace.h"

#include <errno.h>

#include <base/trace_ring.h>
#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "event.h"
#include "fail_alloc.h"
#include "fault.h"
#include "own_memory.h"
#include "requests.h"

/* Events of a worker that are kept. */
#define RING_EVENTS 1024u

/* Sources of trace_read from here on are the kernel's CPUs. */
#define SOURCE_KERNEL MEMSRV_TRACE_KERNEL

/* What a worker needs to write events. */
struct tracer {
    struct trace_ring ring;
    uint64_t id, pid; /* of the message in hand */
};

uint32_t trace_on;
static struct tracer tracers[WORKERS_MAX];

void trace_write(struct memsrv_context *worker, enum trace_kind kind, uint64_t a, uint64_t b)
{
    struct tracer *tracer = &tracers[worker->index];
    const struct trace_event event = {
        .time = clock_ticks(), .id = tracer->id, .what = TRACE_WHAT(kind, tracer->pid), .a = a, .b = b};
    trace_ring_write(&tracer->ring, &event);
}

/* Which of the counters of faults has changed: what became of the fault. */
static uint64_t cause_since(const struct memsrv_context *worker, const uint64_t before[EVENT_FAULT_COUNT])
{
    uint64_t cause = TRACE_CAUSE_SPURIOUS;
    for (unsigned event = 0; event < EVENT_FAULT_COUNT; event++) {
        if (worker->events->counts[event] != before[event])
            cause = event;
    }
    return cause;
}

_Static_assert((int)EVENT_FAULT_ANONYMOUS == TRACE_CAUSE_ANONYMOUS && (int)EVENT_FAULT_ZERO == TRACE_CAUSE_ZERO &&
                   (int)EVENT_FAULT_COPY == TRACE_CAUSE_COPY && (int)EVENT_FAULT_REUSE == TRACE_CAUSE_REUSE &&
                   (int)EVENT_FAULT_OBJECT == TRACE_CAUSE_OBJECT && (int)EVENT_FAULT_HUGE == TRACE_CAUSE_HUGE &&
                   (int)EVENT_FAULT_SWAP == TRACE_CAUSE_SWAP && (int)EVENT_FAULT_SPURIOUS == TRACE_CAUSE_SPURIOUS &&
                   (int)EVENT_FAULT_REFUSED == TRACE_CAUSE_REFUSED,
               "causes are counters");

static int handle_fault(struct memsrv_context *worker, struct message *m)
{
    uint64_t before[EVENT_FAULT_COUNT];
    const uint64_t address = m->words[0];

    memcpy(before, worker->events->counts, sizeof(before));
    trace_write(worker, TRACE_HANDLE, address, m->words[1]);
    const int verdict = fault_answer(worker, m);
    trace_write(worker, TRACE_HANDLE_END, address,
                verdict == PROTO_PARKED ? (uint64_t)TRACE_CAUSE_MAJOR : cause_since(worker, before));
    return verdict;
}

int trace_handle(struct memsrv_context *worker, struct message *m)
{
    struct tracer *tracer = &tracers[worker->index];
    const uint64_t operation = MSG_LABEL(m->tag);

    tracer->id = m->origin;
    tracer->pid = m->badge & ~BADGE_RIGHTS;
    if (MSG_FLAGS(m->tag) & MSG_FLAG_FAULT)
        return handle_fault(worker, m);
    trace_write(worker, TRACE_REQUEST, operation, 0);
    worker->starved = false;
    const int verdict = memsrv_dispatch(worker, m);
    trace_write(worker, TRACE_REQUEST_END, operation,
                verdict == PROTO_PARKED ? (uint64_t)-EINPROGRESS : (uint64_t)(int64_t)(int32_t)MSG_LABEL(m->tag));
    return verdict;
}

void trace_unpark(struct memsrv_context *worker, const struct message *m, int status)
{
    struct tracer *tracer = &tracers[worker->index];

    if (!(worker->watch & WATCH_TRACE))
        return;
    tracer->id = m->origin;
    tracer->pid = m->badge & ~BADGE_RIGHTS;
    trace_write(worker, TRACE_UNPARK, MSG_FLAGS(m->tag) & MSG_FLAG_FAULT ? 0 : MSG_LABEL(m->tag),
                (uint64_t)(int64_t)status);
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

/* Makes the workers' rings. ENOMEM: some are there; the next call goes on. */
static int make_rings(void)
{
    for (uint32_t i = 0; i < worker_count; i++) {
        if (tracers[i].ring.events)
            continue;
        void *events = vmalloc(&own_space, worker_index(), RING_EVENTS * sizeof(struct trace_event));
        if (!events)
            return -ENOMEM;
        trace_ring_init(&tracers[i].ring, events, RING_EVENTS);
    }
    return 0;
}

int memsrv_handle_trace_set(struct memsrv_context *context, const struct message *request, uint64_t on)
{
    if (on > 1)
        return -EINVAL;
    const int error = on ? make_rings() : 0;
    if (error)
        return error;
    __atomic_store_n(&trace_on, (uint32_t)on, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < worker_count; i++) {
        const uint32_t others = workers[i].watch & ~WATCH_TRACE;
        __atomic_store_n(&workers[i].watch, others | (on ? WATCH_TRACE : 0), __ATOMIC_RELEASE);
        fail_alloc_set_source(&workers[i]);
    }
    return (int)sys_system(SLOT_PHYSICAL, SYSTEM_TRACE, on, 0, NULL);
}

int memsrv_handle_trace_read(struct memsrv_context *context, const struct message *request, uint64_t source,
                             uint64_t cursor, uint64_t *next, struct memsrv_trace_event *events, size_t events_capacity,
                             size_t *events_count)
{
    _Static_assert(sizeof(*events) == sizeof(struct trace_event), "told as it is");
    *next = cursor;
    if (source >= SOURCE_KERNEL) {
        const long count = sys_system(SLOT_PHYSICAL, SYSTEM_TRACE_READ, source - SOURCE_KERNEL, cursor, next);
        if (count < 0)
            return (int)count;
        *events_count = (size_t)count < events_capacity ? (size_t)count : events_capacity;
        memcpy(events, ipc_buffer()->words, *events_count * sizeof(*events));
        return 0;
    }
    if (source >= worker_count)
        return -ENOENT;
    if (tracers[source].ring.events)
        *events_count =
            trace_ring_read(&tracers[source].ring, cursor, (struct trace_event *)events, events_capacity, next);
    return 0;
}
