/* SPDX-License-Identifier: MIT */
/*
 * Threads of a program. A thread has a stack of its own with an unmapped page below it, an IPC buffer, its own errno
 * and C library state and its own thread-local variables; capabilities and memory are the program's.
 */
#ifndef QUIRE_THREAD_H
#define QUIRE_THREAD_H

#include <stddef.h>
#include <stdint.h>

#define THREAD_MUST_CHECK __attribute__((warn_unused_result))

struct thread;

/* Starts function(argument) in a new thread of the first thread's priority. *thread belongs to the caller until
 * thread_join(). Negative errno: ENOMEM, EDQUOT (too many threads), EMFILE (no free slot). Nothing is left behind. */
THREAD_MUST_CHECK int thread_create(struct thread **thread, int (*function)(void *), void *argument);

/* Waits until the thread's function has returned, stores the value into *result (may be null) and frees everything of
 * the thread. One caller, once; not the thread itself. Negative errno if memsrv could not free it all. */
int thread_join(struct thread *thread, int *result);

/* The capability of a thread, for sys_thread_control(); valid until thread_join(). */
uint64_t thread_slot(const struct thread *thread);

/* The calling thread's number: 0 is the first thread, others count up and are not used again. */
uint64_t thread_number(void);

#endif
