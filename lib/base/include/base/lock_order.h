/* SPDX-License-Identifier: MIT */
/*
 * Checks the order of locks at run time, in builds with checks of level 2 and above. Each thread keeps the locks that it
 * holds; a lock may be taken only if its rank is above all theirs. So a wrong order is found the first time that it
 * occurs, whether or not another thread is there with whom it would be a deadlock.
 */
#ifndef BASE_LOCK_ORDER_H
#define BASE_LOCK_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <base/lock_rank.h>

/* More than anybody holds at once. */
#define LOCKS_HELD_MAX 8u

struct spinlock;

/* The locks that one thread holds, in the order in which it took them. Zeros: none. */
struct lock_stack {
    uint32_t count;
    struct lock_held {
        const struct spinlock *lock;
        enum lock_rank rank; /* that it was taken with */
    } held[LOCKS_HELD_MAX];
};

/* The calling thread's, or NULL: nothing is checked for it. Each program has its own, as with spinlock_wait(). */
struct lock_stack *lock_stack(void);

/* A name for messages. */
const char *lock_rank_name(enum lock_rank rank);

/* Before a lock is waited for: notes that the thread holds it. The check fails, and names both locks, if the thread
 * holds one of the same rank or above, or this one; or if it holds LOCKS_HELD_MAX. */
void lock_order_acquire(const struct spinlock *lock, enum lock_rank rank);

/* Notes a lock that was taken without waiting, for which there is no wrong order. */
void lock_order_note(const struct spinlock *lock, enum lock_rank rank);

/* The thread gives a lock back; those taken later may be held on. The check fails if it does not hold it. */
void lock_order_release(const struct spinlock *lock);

/* True if the calling thread holds no lock, or is not checked: for assertions. */
bool lock_order_is_idle(void);

#endif
