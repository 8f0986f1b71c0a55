/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: a sequence number that every signal moves on, and on which waiters sleep.
 */
#include "lock_word.h"
#include "thread_record.h"

#include <pthread.h>
#include <time.h>

#define FLAG_SHARED    1u
#define FLAG_MONOTONIC 2u

static unsigned futex_flags(const pthread_cond_t *cond)
{
    return cond->flags & FLAG_SHARED ? FUTEX_SHARED : 0;
}

/* A signal after the mutex is free finds the thread inside, and a sequence number that it has read before: so it
 * either sleeps and is woken, or finds the number changed. */
static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline)
{
    const unsigned flags = futex_flags(cond);

    pthread_testcancel();
    const uint32_t sequence = __atomic_load_n(&cond->sequence, __ATOMIC_SEQ_CST);
    inside_enter(&cond->inside);
    const int refused = pthread_mutex_unlock(mutex);
    if (refused) {
        inside_leave(&cond->inside, flags);
        return refused;
    }
    int error = futex_wait(&cond->sequence, sequence, deadline, flags | FUTEX_CANCEL);
    inside_leave(&cond->inside, flags);
    (void)pthread_mutex_lock(mutex);
    if (error == -ECANCELED)
        pthread_testcancel();
    return error == -ETIMEDOUT ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_until(cond, mutex, DEADLINE_NEVER);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *time)
{
    uint64_t deadline;
    const int error = clock_deadline(cond->flags & FLAG_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, time, &deadline);

    return error < 0 ? -error : wait_until(cond, mutex, deadline);
}

static int wake(pthread_cond_t *cond, uint32_t count)
{
    const unsigned flags = futex_flags(cond);

    if (__atomic_load_n(&cond->inside, __ATOMIC_SEQ_CST) == 0)
        return 0;
    __atomic_add_fetch(&cond->sequence, 1, __ATOMIC_SEQ_CST);
    futex_wake(&cond->sequence, count, flags);
    return 0;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    return wake(cond, 1);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    return wake(cond, FUTEX_WAKE_ALL);
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    *cond = (pthread_cond_t){0};
    if (!attributes)
        return 0;
    if (!attributes->is_initialized)
        return EINVAL;
    cond->flags =
        (attributes->process_shared ? FLAG_SHARED : 0) | (attributes->clock == CLOCK_MONOTONIC ? FLAG_MONOTONIC : 0);
    return 0;
}

/* Those that a broadcast has let go may still be on their way out. */
int pthread_cond_destroy(pthread_cond_t *cond)
{
    inside_await(&cond->inside, futex_flags(cond));
    return 0;
}

int pthread_condattr_init(pthread_condattr_t *attributes)
{
    *attributes = (pthread_condattr_t){.is_initialized = 1, .clock = CLOCK_REALTIME};
    return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *attributes)
{
    attributes->is_initialized = 0;
    return 0;
}

int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    attributes->clock = clock;
    return 0;
}

int pthread_condattr_getclock(const pthread_condattr_t *attributes, clockid_t *clock)
{
    *clock = attributes->clock;
    return 0;
}

int pthread_condattr_setpshared(pthread_condattr_t *attributes, int shared)
{
    if (shared != PTHREAD_PROCESS_PRIVATE && shared != PTHREAD_PROCESS_SHARED)
        return EINVAL;
    attributes->process_shared = shared;
    return 0;
}

int pthread_condattr_getpshared(const pthread_condattr_t *attributes, int *shared)
{
    *shared = attributes->process_shared;
    return 0;
}
