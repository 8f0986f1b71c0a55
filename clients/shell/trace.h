/* SPDX-License-Identifier: MIT */
/* Trace events as the shell has them: from all rings of the kernel, of memsrv and of the pager, in one list by time. */
#ifndef SHELL_TRACE_H
#define SHELL_TRACE_H

#include <stdio.h>

#include "trace_faults.h"

/* Where an event was written. */
enum trace_place { PLACE_KERNEL, PLACE_MEMSRV, PLACE_PAGER };

struct trace_list {
    struct trace_event *events;
    size_t count, capacity;
};

/* The name of a kind of event, or "?". */
const char *trace_name(uint32_t kind);

/* The name of a cause, as `faultstat` has it, or "?". */
const char *trace_cause_name(uint64_t cause);

enum trace_place trace_place(uint32_t kind);

/* Turns tracing on or off everywhere. Events from before do not count. A negative errno: it is not on everywhere. */
__attribute__((warn_unused_result)) int trace_switch(bool on);

/* Adds what the rings have since tracing was turned on, and since *cursors, which begins as zeros, to a list. ENOMEM. */
struct trace_cursors {
    uint64_t workers[8], cpus[8], pager;
};
__attribute__((warn_unused_result)) int trace_collect(struct trace_list *list, struct trace_cursors *cursors);

/* Gives the list's memory back. */
void trace_list_free(struct trace_list *list);

/* Ticks as nanoseconds. */
uint64_t trace_ns(uint64_t ticks);

/* Writes events, sorted by time, as Chrome's and Perfetto's viewers open them. */
void trace_export(const struct trace_list *list);

#endif
