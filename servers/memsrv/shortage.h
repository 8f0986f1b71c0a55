/* SPDX-License-Identifier: MIT */
/*
 * Who finds no memory waits until the pager has freed some: the reply object is set aside (parking.h), and the fault
 * happens, or the request is made, again. That helps only while memory is short, and who frees memory himself must not wait.
 */
#ifndef MEMSRV_SHORTAGE_H
#define MEMSRV_SHORTAGE_H

#include "worker.h"

/* Sets the caller of *m aside until the pager has freed memory, or memory of a group. EINPROGRESS (negative): do not answer;
 * EAGAIN: he may not be. Locks down to an object's may be held. */
MUST_CHECK int shortage_wait(struct memsrv_context *worker, const struct message *m, uint32_t group);

/*
 * For a request that has failed with ENOMEM and changed nothing: PROTO_PARKED if its caller waits for memory and the request
 * is made again from the beginning, then. ENOMEM: not for want of a page, no pager, memory is not short, the caller may use the reserve, or it has
 * waited often enough in vain. No lock is held.
 */
MUST_CHECK int shortage_park(struct memsrv_context *worker, const struct message *request);

/* The same as the end of a handler: anything but ENOMEM is passed on. */
MUST_CHECK static inline int shortage_result(struct memsrv_context *worker, const struct message *request, int error)
{
    return __builtin_expect(error == -ENOMEM, 0) ? shortage_park(worker, request) : error;
}

#endif
