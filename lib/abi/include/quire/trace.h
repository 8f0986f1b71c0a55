/* SPDX-License-Identifier: MIT */
/*
 * Trace events: what the kernel, memsrv and the pager write down while tracing is on. Names are those of Linux's
 * tracepoints where the meaning is the same.
 */
#ifndef QUIRE_TRACE_H
#define QUIRE_TRACE_H

#include <stdint.h>

struct trace_event {
    uint64_t time; /* clock_ticks() */
    uint64_t id;   /* of the fault that it belongs to, 0: none */
    uint64_t what; /* enum trace_kind, and pid << 32 */
    uint64_t a, b;
};

#define TRACE_WHAT(kind, pid) ((uint64_t)(kind) | (uint64_t)(pid) << 32)
#define TRACE_KIND(what)      ((uint32_t)(what))
#define TRACE_PID(what)       ((what) >> 32)

/* What a and b are stands behind each. */
enum trace_kind {
    /* The kernel. */
    TRACE_FAULT = 1, /* mm_page_fault: address; access, as in struct fault_message. From here the fault is on its way */
    TRACE_FAULT_END = 2, /* mm_page_fault_end: address; 0: the thread goes on, 1: it was stopped */

    /* memsrv. */
    TRACE_HANDLE = 16,        /* handle_mm_fault: address; access. A worker has the fault */
    TRACE_HANDLE_END = 17,    /* handle_mm_fault_end: address; enum trace_cause */
    TRACE_REQUEST = 18,       /* memsrv_request: operation; 0 */
    TRACE_REQUEST_END = 19,   /* memsrv_request_end: operation; result, negative errno */
    TRACE_PAGE_ALLOC = 20,    /* mm_page_alloc: pfn; order */
    TRACE_PAGE_FREE = 21,     /* mm_page_free: pfn; order */
    TRACE_KMALLOC = 22,       /* kmalloc: pointer; bytes */
    TRACE_KFREE = 23,         /* kfree: pointer; bytes */
    TRACE_UNPARK = 24,        /* mm_fault_unpark: operation, 0: a fault; status. What was waited for is there */
    TRACE_WAKEUP_KSWAPD = 25, /* mm_vmscan_wakeup_kswapd: 0; 0. The pager is told */

    /* The pager. */
    TRACE_DEMAND = 32,          /* pager_demand: kind of demand; index */
    TRACE_FILL = 33,            /* mm_filemap_fill: object; pages. Pages for it are on their way */
    TRACE_FILL_END = 34,        /* mm_filemap_add_to_page_cache: pfn of the first; pages */
    TRACE_IO = 35,              /* block_rq_issue: tag; pages */
    TRACE_IO_END = 36,          /* block_rq_complete: tag; status, negative errno */
    TRACE_RECLAIM = 37,         /* mm_vmscan_direct_reclaim_begin: pages wanted; 1: somebody waits */
    TRACE_RECLAIM_END = 38,     /* mm_vmscan_direct_reclaim_end: pages freed; status */
    TRACE_SHRINK_INACTIVE = 39, /* mm_vmscan_lru_shrink_inactive: pages looked at; pages freed */
    TRACE_SHRINK_ACTIVE = 40,   /* mm_vmscan_lru_shrink_active: pages looked at; 0 */
    TRACE_WRITE = 41,           /* mm_vmscan_write_folio: pfn; 0 */
    TRACE_KIND_COUNT
};

/* What became of a fault in memsrv. */
enum trace_cause {
    TRACE_CAUSE_ANONYMOUS,
    TRACE_CAUSE_ZERO,
    TRACE_CAUSE_COPY,
    TRACE_CAUSE_REUSE,
    TRACE_CAUSE_OBJECT,
    TRACE_CAUSE_HUGE,
    TRACE_CAUSE_SWAP,
    TRACE_CAUSE_SPURIOUS,
    TRACE_CAUSE_REFUSED,
    TRACE_CAUSE_MAJOR, /* it waits for the pager; another fault follows */
    TRACE_CAUSE_COUNT
};

#endif
