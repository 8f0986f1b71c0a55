/* SPDX-License-Identifier: MIT */
/* Tracing: see trace.h. */
#include "trace.h"

#include <errno.h>

#include <base/trace_ring.h>

#include "arch.h"
#include "platform.h"

static struct trace_event events[CPUS_MAX][TRACE_RING_EVENTS];
static struct trace_ring rings[CPUS_MAX];

void trace_write(enum trace_kind kind, const struct thread *thread, uint64_t b)
{
    const struct trace_event event = {.time = timer_now(),
                                      .id = thread->fault_id,
                                      .what = TRACE_WHAT(kind, thread->aspace->handler.badge),
                                      .a = thread->fault.address,
                                      .b = b};
    trace_ring_write(&rings[arch_this_cpu()->index], &event);
}

long trace_set(uint64_t on)
{
    if (on > 1)
        return -EINVAL;
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        if (!rings[i].events)
            trace_ring_init(&rings[i], events[i], TRACE_RING_EVENTS);
        cpus[i].tracing = (uint8_t)on;
    }
    return 0;
}

long trace_read(struct thread *caller, uint64_t cpu, uint64_t cursor)
{
    const size_t capacity = sizeof(caller->buffer->words) / (sizeof(struct trace_event));
    uint64_t next = cursor;

    if (cpu >= CPUS_MAX || !(started_cpus >> cpu & 1))
        return -ENOENT;
    if (!caller->buffer)
        return -EINVAL;
    size_t count = 0;
    if (rings[cpu].events)
        count =
            trace_ring_read(&rings[cpu], cursor, (struct trace_event *)(void *)caller->buffer->words, capacity, &next);
    context_set_second(&caller->context, next);
    return (long)count;
}
