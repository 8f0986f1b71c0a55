/* SPDX-License-Identifier: MIT */
/*
 * Callers that have to wait for the pager. Whoever finds that something must be brought first, names it by a key: the
 * reply object that holds the caller, with the message, is set aside, the worker goes on with another reply object, and
 * does not answer. When what was waited for is there, or cannot be had, a worker takes the message up again: a fault is
 * answered with nothing, so that it happens again and finds it; a request is made again from the beginning.
 *
 * For each thread that exists there is a reply object to spare, so that one is always to be had: a thread waits for one
 * thing at a time. A caller that was stopped or interrupted has left its reply object; those are looked for when the
 * free ones come to an end.
 *
 * Lock: parking_lock, taken inside these calls. Order: space -> object -> family -> parking.
 */
#ifndef MEMSRV_PARKING_H
#define MEMSRV_PARKING_H

#include <mm/wait_table.h>

#include "kernel_objects.h"
#include "worker.h"

struct memsrv_demand;

/* A reply object, and the caller that it holds. */
struct parked {
    struct waiter waiter; /* its link is also that of the lists of free and of ready ones */
    struct kernel_object reply;
    struct message message;
    uint64_t resume; /* where a request that is made again goes on; 0: from the beginning */
    uint8_t waits;   /* for memory, of the request that is made again */
    bool parkable;   /* the message may be made again */
    bool fixed;      /* it is never given back */
};

/* Makes reply objects for root's threads and the workers. Before there is a second thread. */
void parking_init(void);

/* Gives a worker, which has its reply object, a record of it. Before the worker serves. */
void parking_worker_init(struct memsrv_context *worker);

/* A thread more is there, or one less. ENOMEM: it cannot be, nothing has changed. Lock: that of its space may be held. */
MUST_CHECK int parking_add_thread(void);
void parking_remove_thread(void);

/* The worker may set its caller aside until parking_forbid(): *m is made again, or, a fault, happens again. Root's threads
 * are never set aside: nobody may keep them waiting. */
void parking_allow(struct memsrv_context *worker, const struct message *m);

static inline void parking_forbid(struct memsrv_context *worker)
{
    worker->record->parkable = false;
}

/* What is told of a request for pages. */
struct parking_request {
    struct wait_key key;
    uint64_t first, count, cookie, access;
};

/*
 * Sets the worker's caller aside until parking_complete() of the key. EINPROGRESS (negative): that was done, do not
 * answer; EAGAIN: it may not be, but the pager is told. Locks down to an object's may be held.
 */
MUST_CHECK int parking_wait(struct memsrv_context *worker, const struct parking_request *request);

/* Tells the pager what would be good to have. Nobody waits for it. */
void parking_hint(const struct parking_request *request);

/* Those that wait for [first, last] of an object are taken up again, with the status. Locks down to an object's. */
void parking_complete(uint32_t kind, uint64_t object, uint64_t first, uint64_t last, int status);

/* The same for a request by its token. ESRCH. */
MUST_CHECK int parking_complete_token(uint64_t token, int status);

/* Takes requests that nobody has been told of, as demands, at most `capacity`. Returns how many. */
uint64_t parking_take(struct memsrv_demand *demands, uint64_t capacity);

/* All requests are to be told again. */
void parking_ask_again(void);

/* True if callers are ready to be taken up again. */
bool parking_is_ready(void);

/* Takes them up. No lock is held, nothing is in the worker's IPC buffer. Makes system calls. */
void parking_run(struct memsrv_context *worker);

/* Threads that wait, and for how many requests. */
void parking_read_info(uint64_t *threads, uint64_t *requests);

/* 0, or EIO (negative). */
MUST_CHECK int parking_check(void);

#endif
