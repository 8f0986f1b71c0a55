/* SPDX-License-Identifier: MIT */
/*
 * Mutexes and their attributes. Without contention locking and unlocking are an atomic operation each.
 */
#include "lock_word.h"
#include "thread_record.h"

#include <pthread.h>
#include <time.h>

#define KIND_TYPE   0xffu
#define KIND_SHARED 0x100u

static unsigned futex_flags(const pthread_mutex_t *mutex)
{
    return mutex->kind & KIND_SHARED ? FUTEX_SHARED : 0;
}

static unsigned long owner_self(const pthread_mutex_t *mutex)
{
    return thread_owner(mutex->kind & KIND_SHARED);
}

static unsigned long owner_of(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED);
}

static void own(pthread_mutex_t *mutex)
{
    __atomic_store_n(&mutex->owner, owner_self(mutex), __ATOMIC_RELAXED);
    mutex->depth = 1;
}

/* For types that know their owner. EBUSY: another holds the mutex; EDEADLK, EAGAIN: the caller does, and may not again;
 * 0: locked. */
static int try_owned(pthread_mutex_t *mutex)
{
    if (lock_word_try(&mutex->state)) {
        own(mutex);
        return 0;
    }
    if (owner_of(mutex) != owner_self(mutex))
        return EBUSY;
    if ((mutex->kind & KIND_TYPE) != PTHREAD_MUTEX_RECURSIVE)
        return EDEADLK;
    if (mutex->depth == UINT32_MAX)
        return EAGAIN;
    mutex->depth++;
    return 0;
}

/* Locks a mutex that is not a normal one without waiters. */
static int lock_slow(pthread_mutex_t *mutex, uint64_t deadline)
{
    const bool owned = (mutex->kind & KIND_TYPE) != PTHREAD_MUTEX_NORMAL;

    if (owned) {
        const int result = try_owned(mutex);
        if (result != EBUSY)
            return result;
    }
    const int error = lock_word_wait(&mutex->state, deadline, futex_flags(mutex));
    if (error == 0 && owned)
        own(mutex);
    return -error;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (mutex->kind == PTHREAD_MUTEX_NORMAL && lock_word_try(&mutex->state))
        return 0;
    return lock_slow(mutex, DEADLINE_NEVER);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if ((mutex->kind & KIND_TYPE) == PTHREAD_MUTEX_NORMAL)
        return lock_word_try(&mutex->state) ? 0 : EBUSY;
    const int result = try_owned(mutex);
    return result == EDEADLK ? EBUSY : result;
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *time)
{
    uint64_t deadline;

    /* A lock that is free is taken whatever the time. */
    if (mutex->kind == PTHREAD_MUTEX_NORMAL && lock_word_try(&mutex->state))
        return 0;
    const int error = clock_deadline(CLOCK_REALTIME, time, &deadline);
    return error < 0 ? -error : lock_slow(mutex, deadline);
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    const unsigned flags = futex_flags(mutex);

    if ((mutex->kind & KIND_TYPE) != PTHREAD_MUTEX_NORMAL) {
        if (owner_of(mutex) != owner_self(mutex))
            return EPERM;
        if (--mutex->depth > 0)
            return 0;
        __atomic_store_n(&mutex->owner, 0, __ATOMIC_RELAXED);
    }
    lock_word_release(&mutex->state, flags);
    return 0;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    *mutex = (pthread_mutex_t){0};
    if (!attributes)
        return 0;
    if (!attributes->is_initialized)
        return EINVAL;
    mutex->kind = (unsigned)attributes->type | (attributes->process_shared ? KIND_SHARED : 0);
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->state, __ATOMIC_RELAXED) == LOCK_FREE ? 0 : EBUSY;
}

int pthread_mutexattr_init(pthread_mutexattr_t *attributes)
{
    *attributes = (pthread_mutexattr_t){.is_initialized = 1, .type = PTHREAD_MUTEX_DEFAULT};
    return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes)
{
    attributes->is_initialized = 0;
    return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type)
{
    if (type < PTHREAD_MUTEX_NORMAL || type > PTHREAD_MUTEX_ERRORCHECK)
        return EINVAL;
    attributes->type = type;
    return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *attributes, int *type)
{
    *type = attributes->type;
    return 0;
}

int pthread_mutexattr_setpshared(pthread_mutexattr_t *attributes, int shared)
{
    if (shared != PTHREAD_PROCESS_PRIVATE && shared != PTHREAD_PROCESS_SHARED)
        return EINVAL;
    attributes->process_shared = shared;
    return 0;
}

int pthread_mutexattr_getpshared(const pthread_mutexattr_t *attributes, int *shared)
{
    *shared = attributes->process_shared;
    return 0;
}

/* A mutex lends no priority to its owner, and none is cleaned up after: both are said, not pretended. */
int pthread_mutexattr_setprotocol(pthread_mutexattr_t *attributes, int protocol)
{
    (void)attributes;
    if (protocol == PTHREAD_PRIO_NONE)
        return 0;
    return protocol == PTHREAD_PRIO_INHERIT || protocol == PTHREAD_PRIO_PROTECT ? ENOTSUP : EINVAL;
}

int pthread_mutexattr_getprotocol(const pthread_mutexattr_t *attributes, int *protocol)
{
    (void)attributes;
    *protocol = PTHREAD_PRIO_NONE;
    return 0;
}

int pthread_mutexattr_setrobust(pthread_mutexattr_t *attributes, int robust)
{
    (void)attributes;
    if (robust == PTHREAD_MUTEX_STALLED)
        return 0;
    return robust == PTHREAD_MUTEX_ROBUST ? ENOTSUP : EINVAL;
}

int pthread_mutexattr_getrobust(const pthread_mutexattr_t *attributes, int *robust)
{
    (void)attributes;
    *robust = PTHREAD_MUTEX_STALLED;
    return 0;
}
