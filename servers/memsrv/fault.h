/* SPDX-License-Identifier: MIT */
/* Faults: the hot path of the system. */
#ifndef MEMSRV_FAULT_H
#define MEMSRV_FAULT_H

#include <quire/abi.h>

#include "worker.h"

/* Labels of replies that leave the thread stopped, for root to see to. */
#define FAULT_REFUSED   1
#define FAULT_BUS_ERROR 2 /* past the end of a memory object */

/*
 * Makes fault message *m the reply to it (PROTO_REPLY), or sets the thread aside to wait for the pager (PROTO_PARKED). A
 * page that the reply maps, and tables that it gives, are noted in the worker until fault_settled(). Takes and leaves the
 * lock of the space.
 */
MUST_CHECK int fault_answer(struct memsrv_context *worker, struct message *m);

/* Makes the fault message of a thread that waited for the pager the reply to it: it happens again, or (status below 0)
 * the thread stays stopped: ENOMEM, there is no memory; otherwise a bus error. Takes and leaves the lock of the space. */
void fault_answer_parked(struct message *m, int status);

/* The reply was given. */
static inline void fault_settled(struct memsrv_context *worker)
{
    worker->fault_address = 0;
    worker->fault_page = NULL;
    worker->fault_adds = 0;
    worker->fault_table_count = 0;
    __atomic_store_n(&worker->answering, NULL, __ATOMIC_RELEASE);
}

/*
 * The reply could not be given, with negative errno `error`: takes back what it carried, and makes *m another reply
 * that can be: the thread goes on and faults again if it must. Makes system calls.
 */
void fault_retry(struct memsrv_context *worker, struct message *m, int error);

#endif
