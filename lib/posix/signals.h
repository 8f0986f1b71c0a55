/* SPDX-License-Identifier: MIT */
/* What the library knows of signals; their state is in root. */
#ifndef POSIX_SIGNALS_H
#define POSIX_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* How many handlers without SA_RESTART the calling thread has run: a call that ends with EINTR is begun again if the
 * number is what it was before. */
uint64_t signals_that_interrupt(void);

/* How many handlers the calling thread has run at all. */
uint64_t signals_handled(void);

/* A new thread, which is numbered already, has its creator's mask: the creator calls the first, the new thread, as soon as
 * it may run handlers, the second. */
void signals_thread_prepare(struct thread *created);
void signals_thread_begin(const struct thread *self);

/* Root forgets the thread, which ends. */
void signals_thread_end(const struct thread *self);

#endif
