/* SPDX-License-Identifier: MIT */
/* Where the time of faults went: see trace_faults.h. */
#include "trace_faults.h"

#include <stdlib.h>
#include <string.h>

#define RANK_LAST  UINT32_MAX
#define PERCENT    100u
#define PERCENTILE 99u

/* The order of events of one moment: that of their kinds, but for the end of a fault, which comes last. */
static uint32_t rank(const struct trace_event *event)
{
    const uint32_t kind = TRACE_KIND(event->what);
    return kind == TRACE_FAULT_END ? RANK_LAST : kind;
}

static int compare(uint64_t left, uint64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_time(const void *left, const void *right)
{
    const struct trace_event *a = left, *b = right;
    const int order = compare(a->time, b->time);
    return order ? order : compare(rank(a), rank(b));
}

static int by_fault(const void *left, const void *right)
{
    const struct trace_event *a = left, *b = right;
    const int order = compare(a->id, b->id);
    return order ? order : by_time(left, right);
}

void trace_sort(struct trace_event *events, size_t count)
{
    qsort(events, count, sizeof(*events), by_time);
}

/* What a fault does after an event, if it did `phase` before it and `transfers` were on their way. */
static enum fault_phase next_phase(const struct trace_event *event, enum fault_phase phase, unsigned *transfers)
{
    const bool aside = phase == PHASE_PAGER || phase == PHASE_RECLAIM || phase == PHASE_IO;

    switch (TRACE_KIND(event->what)) {
    case TRACE_FAULT:
        return PHASE_QUEUE;
    case TRACE_HANDLE:
        return PHASE_HANDLER;
    case TRACE_HANDLE_END:
        return event->b == TRACE_CAUSE_MAJOR ? PHASE_PAGER : PHASE_KERNEL;
    case TRACE_IO:
        ++*transfers;
        return aside ? PHASE_IO : phase;
    case TRACE_IO_END:
        *transfers -= *transfers > 0;
        return aside && *transfers == 0 ? PHASE_PAGER : phase;
    case TRACE_RECLAIM:
        return aside ? PHASE_RECLAIM : phase;
    case TRACE_RECLAIM_END:
        return phase == PHASE_RECLAIM ? PHASE_PAGER : phase;
    case TRACE_UNPARK:
        return PHASE_KERNEL;
    default:
        return phase;
    }
}

/* Adds up the events of one fault. False: not all of it was seen. */
static bool add_up(const struct trace_event *events, size_t count, struct fault_time *fault)
{
    enum fault_phase phase = PHASE_QUEUE;
    unsigned transfers = 0;
    bool handled = false;

    if (count == 0 || events[0].id == 0 || TRACE_KIND(events[0].what) != TRACE_FAULT)
        return false;
    *fault = (struct fault_time){.id = events[0].id,
                                 .pid = TRACE_PID(events[0].what),
                                 .address = events[0].a,
                                 .access = events[0].b,
                                 .start = events[0].time};
    for (size_t i = 1; i < count; i++) {
        const uint32_t kind = TRACE_KIND(events[i].what);
        fault->times[phase] += events[i].time - events[i - 1].time;
        phase = next_phase(&events[i], phase, &transfers);
        if (kind == TRACE_HANDLE_END && events[i].b < TRACE_CAUSE_COUNT) {
            fault->cause = (enum trace_cause)events[i].b;
            handled = true;
        }
        if (kind == TRACE_FAULT_END) {
            fault->stopped = events[i].b != 0;
            fault->total = events[i].time - fault->start;
            return handled;
        }
    }
    return false;
}

size_t trace_find_faults(struct trace_event *events, size_t count, struct fault_time *faults, size_t capacity)
{
    struct fault_time fault;
    size_t found = 0;

    qsort(events, count, sizeof(*events), by_fault);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && events[end].id == events[first].id; end++)
            ;
        if (!add_up(events + first, end - first, &fault))
            continue;
        if (found < capacity)
            faults[found] = fault;
        found++;
    }
    trace_sort(events, count);
    return found;
}

static int longest_first(const void *left, const void *right)
{
    const struct fault_time *a = left, *b = right;
    const int order = compare(b->total, a->total);
    return order ? order : compare(a->id, b->id);
}

void trace_sort_faults(struct fault_time *faults, size_t count)
{
    qsort(faults, count, sizeof(*faults), longest_first);
}

static unsigned bucket_of(uint64_t ticks)
{
    unsigned bucket = 0;
    while (bucket + 1 < HISTOGRAM_BUCKETS && ticks >> bucket)
        bucket++;
    return bucket;
}

/* The total of the fault of a cause that `longer` others of it are not shorter than. */
static uint64_t nth(const struct fault_time *faults, size_t count, enum trace_cause cause, uint64_t longer)
{
    for (size_t i = 0; i < count; i++) {
        if (faults[i].cause == cause && longer-- == 0)
            return faults[i].total;
    }
    return 0;
}

void trace_statistics(const struct fault_time *faults, size_t count, enum trace_cause cause,
                      struct fault_statistics *statistics)
{
    memset(statistics, 0, sizeof(*statistics));
    for (size_t i = 0; i < count; i++) {
        if (faults[i].cause != cause)
            continue;
        statistics->count++;
        statistics->buckets[bucket_of(faults[i].total)]++;
    }
    const uint64_t number = statistics->count;
    statistics->max = nth(faults, count, cause, 0);
    statistics->p50 = nth(faults, count, cause, number / 2);
    statistics->p99 = nth(faults, count, cause, number - 1 - (number ? (number - 1) * PERCENTILE / PERCENT : 0));
}
