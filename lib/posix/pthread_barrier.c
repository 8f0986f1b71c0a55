/* SPDX-License-Identifier: MIT */
/*
 * Barriers, spin locks, and routines that run once.
 */
#include "lock_word.h"

#include <base/lock.h>
#include <pthread.h>

/* --- Barriers ----------------------------------------------------------------------------------------------------- */

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count)
{
    if (count == 0 || (attributes && !attributes->is_initialized))
        return EINVAL;
    *barrier =
        (pthread_barrier_t){.needed = count, .shared = attributes && attributes->process_shared ? FUTEX_SHARED : 0};
    return 0;
}

/* Those of the last round may still be on their way out. */
int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    if (__atomic_load_n(&barrier->arrived, __ATOMIC_ACQUIRE) % barrier->needed > 0)
        return EBUSY;
    inside_await(&barrier->inside, barrier->shared);
    return 0;
}

/* A thread's number of arrival says which round it belongs to, so that threads of the next one may come at any time.
 * If the last ones of two rounds count them in the wrong order, both rounds are complete all the same. */
int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    const unsigned flags = barrier->shared;
    int result = 0;

    inside_enter(&barrier->inside);
    const unsigned long number = __atomic_fetch_add(&barrier->arrived, 1, __ATOMIC_ACQ_REL);
    const uint32_t after = (uint32_t)(number / barrier->needed) + 1;
    if (number % barrier->needed == barrier->needed - 1) {
        __atomic_add_fetch(&barrier->sequence, 1, __ATOMIC_SEQ_CST);
        futex_wake(&barrier->sequence, FUTEX_WAKE_ALL, flags);
        result = PTHREAD_BARRIER_SERIAL_THREAD;
    }
    for (;;) {
        const uint32_t complete = __atomic_load_n(&barrier->sequence, __ATOMIC_ACQUIRE);
        if ((int32_t)(complete - after) >= 0)
            break;
        (void)!futex_wait(&barrier->sequence, complete, DEADLINE_NEVER, flags);
    }
    inside_leave(&barrier->inside, flags);
    return result;
}

int pthread_barrierattr_init(pthread_barrierattr_t *attributes)
{
    *attributes = (pthread_barrierattr_t){.is_initialized = 1};
    return 0;
}

int pthread_barrierattr_destroy(pthread_barrierattr_t *attributes)
{
    attributes->is_initialized = 0;
    return 0;
}

int pthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared)
{
    if (shared != PTHREAD_PROCESS_PRIVATE && shared != PTHREAD_PROCESS_SHARED)
        return EINVAL;
    attributes->process_shared = shared;
    return 0;
}

int pthread_barrierattr_getpshared(const pthread_barrierattr_t *attributes, int *shared)
{
    *shared = attributes->process_shared;
    return 0;
}

/* --- Spin locks: they wait as spinlock_wait() says, so a processor of one's own is not needed ---------------------- */

int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
    (void)shared;
    __atomic_store_n(lock, 0, __ATOMIC_RELAXED);
    return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock)
{
    return __atomic_load_n(lock, __ATOMIC_RELAXED) ? EBUSY : 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) ? EBUSY : 0;
}

int pthread_spin_lock(pthread_spinlock_t *lock)
{
    uint32_t turns = 0;

    while (pthread_spin_trylock(lock) != 0) {
        while (__atomic_load_n(lock, __ATOMIC_RELAXED))
            spinlock_wait(++turns);
    }
    return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
    return 0;
}

/* --- Once --------------------------------------------------------------------------------------------------------- */

enum once_state {
    ONCE_NEW = 0,
    ONCE_RUNNING = 1,
    ONCE_DONE = 2,
};

static void once_become(uint32_t *state, uint32_t new)
{
    __atomic_store_n(state, new, __ATOMIC_SEQ_CST);
    futex_wake(state, FUTEX_WAKE_ALL, 0);
}

/* A routine that was cancelled has not run. */
static void once_undo(void *argument)
{
    once_become(argument, ONCE_NEW);
}

int pthread_once(pthread_once_t *control, void (*routine)(void))
{
    uint32_t *state = &control->state;

    while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != ONCE_DONE) {
        uint32_t found = ONCE_NEW;
        if (__atomic_compare_exchange_n(state, &found, ONCE_RUNNING, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            pthread_cleanup_push(once_undo, state);
            routine();
            pthread_cleanup_pop(0);
            once_become(state, ONCE_DONE);
        } else if (found == ONCE_RUNNING) {
            (void)!futex_wait(state, ONCE_RUNNING, DEADLINE_NEVER, 0);
        }
    }
    return 0;
}
