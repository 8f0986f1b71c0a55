/* SPDX-License-Identifier: MIT */
/*
 * Callers that wait for news of a child, each held by a reply object of its own. Serving thread only.
 */
#ifndef PROC_WAITERS_H
#define PROC_WAITERS_H

#include "wait.h"

/* Threads of one process that may wait at once, so that no program takes the reply objects of the others. */
#define WAITERS_PER_PROCESS_MAX 4u

/*
 * Parks the caller that reply object *reply holds until its wait is answered, and puts a fresh reply object into *reply.
 * What the same `thread` waited for before it was interrupted is forgotten. EAGAIN: too many wait; nothing has changed.
 */
MUST_CHECK int waiter_park(uint64_t *reply, const struct wait_request *wait, uint64_t thread);

/*
 * There are news of a running child, or it has ended: tells one thread that waits for them, which takes the news, and
 * with them the entry of an ended child. Others that now wait in vain get ECHILD.
 */
void waiters_tell(struct process *child);

/* Threads of a process that wait for children of which none is left get ECHILD. */
void waiters_disappoint(uint64_t parent);

/* Forgets the waiting threads of a process whose space is gone. */
void waiters_forget(uint64_t caller);

#endif
