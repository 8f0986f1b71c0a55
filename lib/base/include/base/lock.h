/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks, and the words with which structures and functions say what a lock guards. clang checks those words with
 * -Wthread-safety; other compilers ignore them. Each lock has a rank in the lock order (lock_rank.h), and builds with
 * checks of level 2 see to it that whoever takes one holds none of the same rank or above: see lock_order.h.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>
#include <base/lock_order.h>

#if defined(__clang__)
#define THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define THREAD_SAFETY(attribute)
#endif

#define CAPABILITY(name) THREAD_SAFETY(capability(name))
/* On a member: touched only by who holds the lock. In C, clang cannot yet name another member of the same structure
 * here, so it checks that some lock is held; the name is for the reader. */
#define GUARDED_BY(lock)    THREAD_SAFETY(guarded_var)
#define PT_GUARDED_BY(lock) THREAD_SAFETY(pt_guarded_var)
/* On a function: the caller holds the lock; must not hold it; gets it; loses it. */
#define REQUIRES(...)    THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define EXCLUDES(...)    THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...)     THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define RELEASE(...)     THREAD_SAFETY(release_capability(__VA_ARGS__))
/* On a function that runs before there is anybody else, and in the lock's own code. */
#define NO_THREAD_SAFETY_ANALYSIS THREAD_SAFETY(no_thread_safety_analysis)

/*
 * Not fair on purpose: with tickets, a waiter that the scheduler has stopped holds up all behind it. Sections are
 * short and never block.
 */
struct CAPABILITY("spinlock") spinlock {
    uint32_t held;
    uint32_t rank; /* enum lock_rank */
};

#define SPINLOCK_INITIALIZER(rank_of_lock)                                                                             \
    {                                                                                                                  \
        .rank = (rank_of_lock)                                                                                         \
    }

/*
 * Called on each turn of a waiting loop, `turns` counting from 1. Each program has its own: what the machine offers
 * to wait with, or to let another thread run after some turns.
 */
void spinlock_wait(uint32_t turns);

/* Makes an unheld lock. */
static inline void spinlock_init(struct spinlock *lock, enum lock_rank rank)
{
    lock->held = 0;
    lock->rank = rank;
}

/* Waits until the lock is free and takes it, with another rank than its own: for the few that are taken while one like
 * them is held. Not recursive. */
static inline void spinlock_acquire_as(struct spinlock *lock, enum lock_rank rank)
    ACQUIRE(*lock) NO_THREAD_SAFETY_ANALYSIS
{
    uint32_t turns = 0;
    if (QUIRE_CHECKS >= 2)
        lock_order_acquire(lock, rank);
    while (__builtin_expect(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE), 0)) {
        do {
            spinlock_wait(++turns);
        } while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED));
    }
}

/* Waits until the lock is free and takes it. Not recursive. */
static inline void spinlock_acquire(struct spinlock *lock) ACQUIRE(*lock) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_acquire_as(lock, (enum lock_rank)lock->rank);
}

/* Takes the lock if it is free; true if it was. Nobody waits, so any other lock may be held. */
static inline bool spinlock_try_acquire(struct spinlock *lock) TRY_ACQUIRE(true, *lock) NO_THREAD_SAFETY_ANALYSIS
{
    if (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
        return false;
    if (QUIRE_CHECKS >= 2)
        lock_order_note(lock, (enum lock_rank)lock->rank);
    return true;
}

/* Gives the lock back. */
static inline void spinlock_release(struct spinlock *lock) RELEASE(*lock) NO_THREAD_SAFETY_ANALYSIS
{
    if (QUIRE_CHECKS >= 2)
        lock_order_release(lock);
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* True if somebody holds the lock: for assertions. */
static inline bool spinlock_held(struct spinlock *lock)
{
    return __atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0;
}

#endif
