/* SPDX-License-Identifier: MIT */
/*
 * The lock in one word that mutexes, the C library's locks and others are made of: free, locked, or locked while
 * somebody may wait, in which case alone the unlocker has to wake one.
 */
#ifndef POSIX_LOCK_WORD_H
#define POSIX_LOCK_WORD_H

#include "futex.h"

#include <errno.h>
#include <quire/abi.h>
#include <stdbool.h>

enum lock_word {
    LOCK_FREE = 0,
    LOCK_HELD = 1,
    LOCK_WANTED = 2, /* held, and threads may wait */
};

/* Takes the lock if it is free; true if it was. */
static inline bool lock_word_try(uint32_t *word)
{
    uint32_t found = LOCK_FREE;
    return __atomic_compare_exchange_n(word, &found, LOCK_HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Waits for a lock that lock_word_try() did not get. ETIMEDOUT. */
__attribute__((warn_unused_result)) int lock_word_wait(uint32_t *word, uint64_t deadline, unsigned flags);

/* Takes the lock. It has no deadline and so cannot fail. */
static inline void lock_word_acquire(uint32_t *word, unsigned flags)
{
    if (!__builtin_expect(lock_word_try(word), 1))
        (void)!lock_word_wait(word, DEADLINE_NEVER, flags);
}

/* Gives the lock back, which the caller holds. The word may be gone as soon as it is free. */
static inline void lock_word_release(uint32_t *word, unsigned flags)
{
    if (__builtin_expect(__atomic_exchange_n(word, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WANTED, 0))
        futex_wake(word, 1, flags);
}

/*
 * The number of threads inside an object, with a mark that somebody waits for them to leave, so that an object can be
 * destroyed by whom it has just let go.
 */
#define LEAVING_AWAITED 0x80000000u

static inline void inside_enter(uint32_t *inside)
{
    __atomic_add_fetch(inside, 1, __ATOMIC_SEQ_CST);
}

static inline void inside_leave(uint32_t *inside, unsigned flags)
{
    if (__atomic_sub_fetch(inside, 1, __ATOMIC_SEQ_CST) == LEAVING_AWAITED)
        futex_wake(inside, FUTEX_WAKE_ALL, flags);
}

/* Waits until nobody is inside. */
static inline void inside_await(uint32_t *inside, unsigned flags)
{
    uint32_t found = __atomic_or_fetch(inside, LEAVING_AWAITED, __ATOMIC_SEQ_CST);

    while (found != LEAVING_AWAITED) {
        (void)!futex_wait(inside, found, DEADLINE_NEVER, flags);
        found = __atomic_load_n(inside, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(inside, 0, __ATOMIC_RELAXED);
}

#endif
