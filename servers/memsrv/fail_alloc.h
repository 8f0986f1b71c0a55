/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail because somebody wants them to, so that what happens then can be tried without a machine that is
 * really short of memory. Off, it costs nothing where pages are taken for faults.
 */
#ifndef MEMSRV_FAIL_ALLOC_H
#define MEMSRV_FAIL_ALLOC_H

#include <proto/memsrv_protocol.h>

#include "worker.h"

/* What fails now: MEMSRV_FAIL_*. Atomic. */
extern uint64_t fail_alloc_kinds;

/* fail_alloc_now() for a kind that fails now and then. */
MUST_CHECK bool fail_alloc_next(uint64_t kind);

/* True if this allocation, of one kind, has to fail. */
MUST_CHECK static inline bool fail_alloc_now(uint64_t kind)
{
    if (__builtin_expect(!(__atomic_load_n(&fail_alloc_kinds, __ATOMIC_RELAXED) & kind), 1))
        return false;
    return fail_alloc_next(kind);
}

/* Where a worker gets pages for programs: from its list, or, while these fail, from one that is empty for ever, so that
 * it comes to page_take_slow(). When the worker's lists are made, and when the kinds change. */
void fail_alloc_set_source(struct memsrv_context *worker);

/*
 * Reads quire.fail_alloc=KIND[+KIND]...,INTERVAL[,TIMES[,SKIP]] from the command line: as the operation fail_alloc_set,
 * with kinds named user, tables, objects, records, huge. When everything else is made and before it serves.
 */
void fail_alloc_init(const char *arguments);

#endif
