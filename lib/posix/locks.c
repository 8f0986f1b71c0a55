/* SPDX-License-Identifier: MIT */
/*
 * The locks with which the C library guards its heap, its streams and its tables. Who cannot get one sleeps for a
 * while and tries again: whatever the priorities, the owner gets to run. All locks count, so the recursive ones and
 * the others are the same.
 */
#include <quire/clock.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/lock.h>

#define TURNS_BEFORE_SLEEP 16u
#define SLEEP_NS           50000UL
#define SLEEP_NS_MAX       1600000UL

struct __lock {
    _Atomic uint64_t owner; /* address of the owner's IPC buffer, which no other thread has; 0: free */
    unsigned depth;         /* how often the owner has taken it; touched only by the owner */
};

struct __lock __lock___sinit_recursive_mutex, __lock___sfp_recursive_mutex, __lock___atexit_recursive_mutex,
    __lock___at_quick_exit_mutex, __lock___malloc_recursive_mutex, __lock___env_recursive_mutex, __lock___tz_mutex,
    __lock___dd_hash_mutex, __lock___arc4random_mutex;

/* Stands in for a lock that there was no memory for: too much is excluded then, but nothing is let through. */
static struct __lock lock_shared;

/* 1 marks the owner in a program whose only thread has no IPC buffer. */
static uint64_t lock_self(void)
{
    const uint64_t self = (uint64_t)(uintptr_t)ipc_buffer();
    return self ? self : 1;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    const uint64_t self = lock_self();
    uint64_t owner = 0;

    if (!atomic_compare_exchange_strong_explicit(&lock->owner, &owner, self, memory_order_acquire,
                                                 memory_order_relaxed) &&
        owner != self)
        return 0;
    lock->depth++;
    return 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    uint64_t sleep = SLEEP_NS;

    for (unsigned turn = 0; !__retarget_lock_try_acquire_recursive(lock); turn++) {
        if (turn < TURNS_BEFORE_SLEEP) {
            (void)sys_yield();
            continue;
        }
        clock_sleep_until(clock_now_ns() + sleep);
        sleep = sleep < SLEEP_NS_MAX ? 2 * sleep : sleep;
    }
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth == 0)
        atomic_store_explicit(&lock->owner, 0, memory_order_release);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof(**lock));
    if (!*lock)
        *lock = &lock_shared;
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    if (lock != &lock_shared)
        free(lock);
}

void __retarget_lock_init(_LOCK_T *lock)
{
    __retarget_lock_init_recursive(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    __retarget_lock_close_recursive(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    __retarget_lock_acquire_recursive(lock);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return __retarget_lock_try_acquire_recursive(lock);
}

void __retarget_lock_release(_LOCK_T lock)
{
    __retarget_lock_release_recursive(lock);
}
