/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a word of memory to change: what every lock of this library sleeps with. A lock decides by atomic
 * operations on its word and comes here only when it must wait, or when somebody may.
 *
 * Both calls may come from any thread, hold no lock when they return, and take none of the heap's or stdio's.
 */
#ifndef POSIX_FUTEX_H
#define POSIX_FUTEX_H

#include <stdint.h>

#define FUTEX_SHARED 1u /* threads of other processes, which see the word at other addresses, take part */
#define FUTEX_CANCEL 2u /* a cancellation of the thread, if it is enabled, ends the wait */

/*
 * Blocks while *word is `expected`, until a futex_wake() of the same word or the deadline (ns of clock_now_ns();
 * DEADLINE_NEVER). 0: woken, or for no reason: look again. EAGAIN: *word is something else; ETIMEDOUT; ECANCELED: only
 * with FUTEX_CANCEL, and no wake-up was taken. With FUTEX_SHARED also EFAULT: the memory is not there.
 */
__attribute__((warn_unused_result)) int futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline,
                                                   unsigned flags);

/* Wakes at most `count` threads, those that have waited longest for this word. The word itself is not read, so memory
 * that its last user has freed meanwhile does no harm (except with FUTEX_SHARED, where nobody is woken then). */
void futex_wake(const uint32_t *word, uint32_t count, unsigned flags);

#define FUTEX_WAKE_ALL UINT32_MAX

/* For the child of a fork, whose one thread waits for nothing: forgets all waits. */
void futex_child_of_fork(void);

#endif
