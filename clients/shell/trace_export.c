/* SPDX-License-Identifier: MIT */
/*
 * Trace events in the format of Chrome's trace viewer, which Perfetto's opens, too. What takes time may overlap others of
 * its kind, and so is an asynchronous slice; all else is a moment. Tracks are the processes that something was done for.
 */
#include "json.h"
#include "trace.h"

#include <string.h>

#define PROCESS_KERNEL 0u
#define PROCESS_MEMSRV 2u
#define PROCESS_PAGER  3u
#define NS_PER_US      1000u

/* Which slice an event begins or ends, if it does. */
static const struct slice {
    uint32_t begin, end;
} slices[] = {
    {TRACE_FAULT, TRACE_FAULT_END}, {TRACE_HANDLE, TRACE_HANDLE_END},   {TRACE_REQUEST, TRACE_REQUEST_END},
    {TRACE_IO, TRACE_IO_END},       {TRACE_RECLAIM, TRACE_RECLAIM_END},
};

static uint64_t process_of(const struct trace_event *event)
{
    switch (trace_place(TRACE_KIND(event->what))) {
    case PLACE_KERNEL:
        return PROCESS_KERNEL;
    case PLACE_MEMSRV:
        return PROCESS_MEMSRV;
    default:
        return PROCESS_PAGER;
    }
}

static const struct slice *slice_of(uint32_t kind)
{
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
        if (slices[i].begin == kind || slices[i].end == kind)
            return &slices[i];
    }
    return NULL;
}

/* What tells an asynchronous slice from others of its kind: the fault, the transfer's tag, the operation's caller. */
static uint64_t slice_id(const struct trace_event *event)
{
    switch (TRACE_KIND(event->what)) {
    case TRACE_IO:
    case TRACE_IO_END:
        return event->a;
    case TRACE_REQUEST:
    case TRACE_REQUEST_END:
        return TRACE_PID(event->what);
    default:
        return event->id;
    }
}

/* A time as microseconds with three digits behind the point, as the format wants it. */
static void write_time(uint64_t ticks)
{
    const uint64_t ns = trace_ns(ticks);
    json_fraction("ts", ns / NS_PER_US, ns % NS_PER_US);
}

static void write_common(const struct trace_event *event, const char *name, const char *phase, uint64_t first)
{
    static const char *const places[] = {"kernel", "memsrv", "pager"};
    const char *const place = places[trace_place(TRACE_KIND(event->what))];

    json_open(NULL, '{');
    json_text("name", name, strlen(name));
    json_text("cat", place, strlen(place));
    json_text("ph", phase, strlen(phase));
    write_time(event->time - first);
    json_number("pid", process_of(event));
    json_number("tid", TRACE_PID(event->what));
}

static void write_arguments(const struct trace_event *event)
{
    json_open("args", '{');
    json_number("fault", event->id);
    json_number("process", TRACE_PID(event->what));
    json_number("a", event->a);
    if (TRACE_KIND(event->what) == TRACE_HANDLE_END)
        json_text("cause", trace_cause_name(event->b), strlen(trace_cause_name(event->b)));
    else
        json_signed("b", (int64_t)event->b);
    json_close();
}

static void write_event(const struct trace_event *event, uint64_t first)
{
    const uint32_t kind = TRACE_KIND(event->what);
    const struct slice *slice = slice_of(kind);

    if (slice) {
        write_common(event, trace_name(slice->begin), kind == slice->begin ? "b" : "e", first);
        json_number("id", slice_id(event));
    } else {
        write_common(event, trace_name(kind), "i", first);
        json_text("s", "t", 1);
    }
    write_arguments(event);
    json_close();
}

static void write_process_name(uint64_t process, const char *name)
{
    json_open(NULL, '{');
    json_text("name", "process_name", strlen("process_name"));
    json_text("ph", "M", 1);
    json_number("pid", process);
    json_open("args", '{');
    json_text("name", name, strlen(name));
    json_close();
    json_close();
}

void trace_export(const struct trace_list *list)
{
    json_open(NULL, '{');
    json_text("displayTimeUnit", "ns", 2);
    json_open("traceEvents", '[');
    write_process_name(PROCESS_KERNEL, "kernel");
    write_process_name(PROCESS_MEMSRV, "memsrv");
    write_process_name(PROCESS_PAGER, "pager");
    for (size_t i = 0; i < list->count; i++)
        write_event(&list->events[i], list->events[0].time);
    json_close();
    json_close();
}
