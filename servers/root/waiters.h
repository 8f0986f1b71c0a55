/* SPDX-License-Identifier: MIT */
/*
 * Callers that wait for a process to end, each held by a reply object of its own. Serving thread only.
 */
#ifndef ROOT_WAITERS_H
#define ROOT_WAITERS_H

#include <base/check.h>
#include <stdbool.h>
#include <stdint.h>

/* Threads of one process that may wait at once, so that no program takes the reply objects of the others. */
#define WAITERS_PER_PROCESS_MAX 4u

#define ANY_CHILD 0u

/*
 * Parks the caller that reply object *reply holds until child `target` (or ANY_CHILD) of process `caller` has ended,
 * and puts a fresh reply object into *reply. EAGAIN: too many wait; nothing has changed.
 */
MUST_CHECK int waiter_park(uint64_t *reply, uint64_t caller, uint64_t target);

/*
 * Child `pid` of `parent` has ended: tells one thread of `parent` that waits for it. True if there was one. Others that
 * now wait in vain get ECHILD: those for exactly this child and, if it was the `last` one, those for any.
 */
MUST_CHECK bool waiters_tell(uint64_t parent, uint64_t pid, uint64_t status, bool last);

/* Forgets the waiting threads of a process whose space is gone. */
void waiters_forget(uint64_t caller);

#endif
