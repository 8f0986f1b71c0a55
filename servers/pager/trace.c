/* SPDX-License-Identifier: MIT */
/* Trace events of the pager: a ring, and the requests about it. */
#include <base/trace_ring.h>
#include <quire/syscall.h>
#include <string.h>

#include "server.h"

#define RING_EVENTS 1024u

static struct trace_event ring_events[RING_EVENTS];
static struct trace_ring ring;

static void trace_write(void *context, uint32_t kind, uint64_t id, uint64_t a, uint64_t b)
{
    const struct trace_event event = {.time = clock_ticks(), .id = id, .what = TRACE_WHAT(kind, 0), .a = a, .b = b};
    trace_ring_write(&ring, &event);
}

void backend_trace(struct backend *backend)
{
    trace_ring_init(&ring, ring_events, RING_EVENTS);
    backend->trace = trace_write;
}

int pager_handle_trace_set(struct pager_context *context, const struct message *request, uint64_t on)
{
    if (on > 1)
        return -EINVAL;
    context->pager.tracing = on == 1;
    return 0;
}

int pager_handle_trace_read(struct pager_context *context, const struct message *request, uint64_t cursor,
                            uint64_t *next, struct pager_trace_event *events, size_t events_capacity,
                            size_t *events_count)
{
    _Static_assert(sizeof(*events) == sizeof(struct trace_event), "told as it is");
    *events_count = trace_ring_read(&ring, cursor, (struct trace_event *)events, events_capacity, next);
    return 0;
}
