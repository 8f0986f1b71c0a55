/* SPDX-License-Identifier: MIT */
/*
 * Counters of what happens to memory. Each worker counts in a piece of per-CPU memory of its own, with plain additions and
 * in no cache line that another worker writes; who asks gets the sums.
 */
#ifndef MEMSRV_EVENT_H
#define MEMSRV_EVENT_H

#include "worker.h"

enum vm_event {
    /* What faults came to: each is one of these. */
    EVENT_FAULT_ANONYMOUS, /* a zeroed page */
    EVENT_FAULT_ZERO,      /* the page of zeros */
    EVENT_FAULT_COPY,      /* a copy of a page that others have, too */
    EVENT_FAULT_REUSE,     /* more rights for a page that is there */
    EVENT_FAULT_OBJECT,    /* pages of a memory object */
    EVENT_FAULT_HUGE,      /* a huge page */
    EVENT_FAULT_SWAP,      /* a page that was swapped */
    EVENT_FAULT_SPURIOUS,  /* nothing was missing any more */
    EVENT_FAULT_REFUSED,
    EVENT_FAULT_COUNT,

    EVENT_FAULT_REPEATED = EVENT_FAULT_COUNT, /* of those, answers that came too late and were taken back */
    EVENT_FAULT_MAJOR, /* faults that waited for the pager: not counted above, but when they are made again */
    EVENT_STACK_GROWTH,

    /* Huge pages: as in record thp of lib/proto/memsrv.proto. */
    EVENT_THP_BLOCKS, /* blocks that became whole less those that are so no longer, so only the sum says something */
    EVENT_THP_FAULT_ALLOC,
    EVENT_THP_FAULT_FALLBACK,
    EVENT_THP_COLLAPSE_ALLOC,
    EVENT_THP_COLLAPSE_FAILED,
    EVENT_THP_SPLIT,
    EVENT_THP_UNDERUSED,
    EVENT_COUNT
};

struct vm_events {
    uint64_t counts[EVENT_COUNT]; /* atomic for readers: their worker alone writes */
};

/* Makes the counters of all workers that a machine with `cpu_count` processors can have. Before there is a second
 * thread. */
void events_init(uint64_t cpu_count);

static inline void event_add(const struct memsrv_context *worker, enum vm_event event, uint64_t value)
{
    uint64_t *counter = &worker->events->counts[event];
    __atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static inline void event_count(const struct memsrv_context *worker, enum vm_event event)
{
    event_add(worker, event, 1);
}

/* The sum of all workers' counters. */
uint64_t event_sum(enum vm_event event);

#endif
