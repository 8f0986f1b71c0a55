/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks, and the words with which structures and functions say what a lock guards. clang checks those words with
 * -Wthread-safety; other compilers ignore them. A lock's place in the lock order is written beside the lock.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

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
};

/*
 * Called on each turn of a waiting loop, `turns` counting from 1. Each program has its own: what the machine offers
 * to wait with, or to let another thread run after some turns.
 */
void spinlock_wait(uint32_t turns);

/* Makes an unheld lock. */
static inline void spinlock_init(struct spinlock *lock)
{
    lock->held = 0;
}

/* Waits until the lock is free and takes it. Not recursive. */
static inline void spinlock_acquire(struct spinlock *lock) ACQUIRE(*lock) NO_THREAD_SAFETY_ANALYSIS
{
    uint32_t turns = 0;
    while (__builtin_expect(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE), 0)) {
        do {
            spinlock_wait(++turns);
        } while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED));
    }
}

/* Takes the lock if it is free; true if it was. */
static inline bool spinlock_try_acquire(struct spinlock *lock) TRY_ACQUIRE(true, *lock) NO_THREAD_SAFETY_ANALYSIS
{
    return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

/* Gives the lock back. */
static inline void spinlock_release(struct spinlock *lock) RELEASE(*lock) NO_THREAD_SAFETY_ANALYSIS
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* True if somebody holds the lock: for assertions. */
static inline bool spinlock_held(struct spinlock *lock)
{
    return __atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0;
}

#endif
