/* SPDX-License-Identifier: MIT */
/*
 * Where the time of faults went, out of trace events: pure arithmetic, so that the same file runs in host tests.
 */
#ifndef SHELL_TRACE_FAULTS_H
#define SHELL_TRACE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quire/trace.h>

/* What a fault is doing at a time. */
enum fault_phase {
    PHASE_QUEUE,   /* in the kernel and in memsrv's queue: from the abort until a worker has it */
    PHASE_HANDLER, /* in memsrv's handler */
    PHASE_PAGER,   /* set aside: the pager has it, or has yet to take it */
    PHASE_RECLAIM, /* set aside while the pager frees memory for it */
    PHASE_IO,      /* set aside while a disk reads for it */
    PHASE_KERNEL,  /* answered: until the thread goes on */
    PHASE_COUNT
};

struct fault_time {
    uint64_t id, pid, address, access;
    uint64_t start;              /* ticks */
    uint64_t times[PHASE_COUNT]; /* ticks; their sum is `total` */
    uint64_t total;
    enum trace_cause cause;
    bool stopped; /* it was refused: the thread did not go on */
};

/* Sorts events by time; of those of one moment, in the order in which a fault meets them. */
void trace_sort(struct trace_event *events, size_t count);

/*
 * Finds the faults of which all was seen, from the abort until the thread went on. The events are sorted by fault
 * meanwhile, and by time, as by trace_sort(), afterwards. Returns how many there are, of which the first `capacity` are
 * in `faults`.
 */
size_t trace_find_faults(struct trace_event *events, size_t count, struct fault_time *faults, size_t capacity);

/* Sorts faults, the longest first. */
void trace_sort_faults(struct fault_time *faults, size_t count);

#define HISTOGRAM_BUCKETS 40u

/* How long faults of one cause took, in ticks. Bucket n: less than 2^n, and not in an earlier one. */
struct fault_statistics {
    uint64_t count, p50, p99, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Of all faults of a cause. The faults are sorted, the longest first. */
void trace_statistics(const struct fault_time *faults, size_t count, enum trace_cause cause,
                      struct fault_statistics *statistics);

#endif
