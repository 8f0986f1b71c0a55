/* SPDX-License-Identifier: MIT */
/*
 * How a worker gets at the free pages in the lists of the others. The lists are their owners' alone and have no lock.
 * Who wants them says so in `drain` of each worker. A worker that waits in the kernel for the next message looks there
 * before it touches its lists again, so the asker, once the kernel has said that it waits, drains them for it. Any
 * other worker does it itself when it next receives something.
 */
#ifndef MEMSRV_DRAIN_H
#define MEMSRV_DRAIN_H

#include "worker.h"

/* Gives back the pages in all lists of `self`, the calling worker, and of the workers that wait; asks the others.
 * Makes system calls; the content of the IPC buffer is kept. Any lock but a zone's may be held. */
void drain_lists(struct memsrv_context *self);

/*
 * Makes all workers but `self` stand still between two messages, with no lock and no answer on its way, until
 * workers_resume(): what pages are used for does not change meanwhile. `self` holds no lock. Makes system calls.
 */
void workers_stop(struct memsrv_context *self);
void workers_resume(struct memsrv_context *self);

/* drain_if_wanted() when it is. `may_stop`: no answer of the worker is on its way. */
void drain_wanted(struct memsrv_context *self, bool may_stop);

/* For a worker that has received something: it may touch its lists afterwards. Stands still if that is wanted. */
static inline void drain_if_wanted(struct memsrv_context *self)
{
    if (__builtin_expect(__atomic_load_n(&self->drain, __ATOMIC_ACQUIRE) != WORKER_DRAIN_NONE, 0))
        drain_wanted(self, true);
}

#endif
