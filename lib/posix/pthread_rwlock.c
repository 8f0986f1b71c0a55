/* SPDX-License-Identifier: MIT */
/*
 * Locks for many readers or one writer. A writer that waits keeps new readers out, except threads that hold such a lock
 * for reading already: for them waiting could be for ever.
 */
#include "lock_word.h"
#include "thread_record.h"

#include <pthread.h>
#include <time.h>

#define READERS_MAX UINT32_MAX

static unsigned futex_flags(const pthread_rwlock_t *rwlock)
{
    return rwlock->shared ? FUTEX_SHARED : 0;
}

static bool may_read(const pthread_rwlock_t *rwlock, const struct thread *self)
{
    return !rwlock->writer && (rwlock->writers_waiting == 0 || self->read_locks > 0);
}

static bool may_write(const pthread_rwlock_t *rwlock)
{
    return !rwlock->writer && rwlock->readers == 0;
}

/* Lets others at the lock until *sequence changes; `waiting` counts who is in here. */
static int sleep_unlocked(pthread_rwlock_t *rwlock, uint32_t *sequence, uint32_t *waiting, uint64_t deadline)
{
    const unsigned flags = futex_flags(rwlock);
    const uint32_t seen = __atomic_load_n(sequence, __ATOMIC_RELAXED);

    (*waiting)++;
    lock_word_release(&rwlock->lock, flags);
    const int error = futex_wait(sequence, seen, deadline, flags);
    lock_word_acquire(&rwlock->lock, flags);
    (*waiting)--;
    return error == -ETIMEDOUT ? ETIMEDOUT : 0;
}

/* Tells those that wait for *sequence to look again. */
static void move_on(pthread_rwlock_t *rwlock, uint32_t *sequence, uint32_t count)
{
    __atomic_add_fetch(sequence, 1, __ATOMIC_SEQ_CST);
    futex_wake(sequence, count, futex_flags(rwlock));
}

/* Wakes who may have the lock now: a writer if one waits, else all readers. */
static void let_in(pthread_rwlock_t *rwlock)
{
    if (rwlock->writers_waiting > 0 && may_write(rwlock))
        move_on(rwlock, &rwlock->write_sequence, 1);
    else if (rwlock->writers_waiting == 0 && rwlock->readers_waiting > 0 && !rwlock->writer)
        move_on(rwlock, &rwlock->read_sequence, FUTEX_WAKE_ALL);
}

static int lock_read(pthread_rwlock_t *rwlock, uint64_t deadline)
{
    struct thread *self = thread_self();
    int result = 0;

    lock_word_acquire(&rwlock->lock, futex_flags(rwlock));
    while (!may_read(rwlock, self) && result == 0) {
        if (deadline == DEADLINE_POLL)
            result = EBUSY;
        else if (rwlock->writer && rwlock->owner == thread_owner(rwlock->shared))
            result = EDEADLK;
        else
            result = sleep_unlocked(rwlock, &rwlock->read_sequence, &rwlock->readers_waiting, deadline);
    }
    if (may_read(rwlock, self))
        result = rwlock->readers == READERS_MAX ? EAGAIN : 0;
    if (result == 0) {
        rwlock->readers++;
        self->read_locks++;
    }
    lock_word_release(&rwlock->lock, futex_flags(rwlock));
    return result;
}

static int lock_write(pthread_rwlock_t *rwlock, uint64_t deadline)
{
    int result = 0;

    lock_word_acquire(&rwlock->lock, futex_flags(rwlock));
    while (!may_write(rwlock) && result == 0) {
        if (deadline == DEADLINE_POLL)
            result = EBUSY;
        else if (rwlock->writer && rwlock->owner == thread_owner(rwlock->shared))
            result = EDEADLK;
        else
            result = sleep_unlocked(rwlock, &rwlock->write_sequence, &rwlock->writers_waiting, deadline);
    }
    if (may_write(rwlock)) {
        result = 0;
        rwlock->writer = 1;
        rwlock->owner = thread_owner(rwlock->shared);
    } else if (result == ETIMEDOUT) {
        /* Readers stayed out for this writer, and a wake-up may have been its. */
        let_in(rwlock);
    }
    lock_word_release(&rwlock->lock, futex_flags(rwlock));
    return result;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *rwlock)
{
    return lock_read(rwlock, DEADLINE_NEVER);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *rwlock)
{
    return lock_read(rwlock, DEADLINE_POLL);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *rwlock)
{
    return lock_write(rwlock, DEADLINE_NEVER);
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *rwlock)
{
    return lock_write(rwlock, DEADLINE_POLL);
}

/* A lock that is free is taken whatever the time, so that is looked at first. */
static int lock_timed(pthread_rwlock_t *rwlock, const struct timespec *time,
                      int (*lock)(pthread_rwlock_t *rwlock, uint64_t deadline))
{
    uint64_t deadline;
    const int result = lock(rwlock, DEADLINE_POLL);

    if (result != EBUSY)
        return result;
    const int error = clock_deadline(CLOCK_REALTIME, time, &deadline);
    if (error < 0)
        return -error;
    /* 0 would be a poll; both are long past. */
    return lock(rwlock, deadline == DEADLINE_POLL ? 1 : deadline);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *rwlock, const struct timespec *time)
{
    return lock_timed(rwlock, time, lock_read);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *rwlock, const struct timespec *time)
{
    return lock_timed(rwlock, time, lock_write);
}

int pthread_rwlock_unlock(pthread_rwlock_t *rwlock)
{
    struct thread *self = thread_self();
    int result = 0;

    lock_word_acquire(&rwlock->lock, futex_flags(rwlock));
    if (rwlock->writer && rwlock->owner == thread_owner(rwlock->shared)) {
        rwlock->writer = 0;
        rwlock->owner = 0;
    } else if (rwlock->readers > 0) {
        rwlock->readers--;
        if (self->read_locks > 0)
            self->read_locks--;
    } else {
        result = EPERM;
    }
    if (result == 0)
        let_in(rwlock);
    lock_word_release(&rwlock->lock, futex_flags(rwlock));
    return result;
}

int pthread_rwlock_init(pthread_rwlock_t *rwlock, const pthread_rwlockattr_t *attributes)
{
    if (attributes && !attributes->is_initialized)
        return EINVAL;
    *rwlock = (pthread_rwlock_t){.shared = attributes && attributes->process_shared};
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *rwlock)
{
    lock_word_acquire(&rwlock->lock, futex_flags(rwlock));
    const bool used = rwlock->writer || rwlock->readers || rwlock->readers_waiting || rwlock->writers_waiting;
    lock_word_release(&rwlock->lock, futex_flags(rwlock));
    return used ? EBUSY : 0;
}

int pthread_rwlockattr_init(pthread_rwlockattr_t *attributes)
{
    *attributes = (pthread_rwlockattr_t){.is_initialized = 1};
    return 0;
}

int pthread_rwlockattr_destroy(pthread_rwlockattr_t *attributes)
{
    attributes->is_initialized = 0;
    return 0;
}

int pthread_rwlockattr_setpshared(pthread_rwlockattr_t *attributes, int shared)
{
    if (shared != PTHREAD_PROCESS_PRIVATE && shared != PTHREAD_PROCESS_SHARED)
        return EINVAL;
    attributes->process_shared = shared;
    return 0;
}

int pthread_rwlockattr_getpshared(const pthread_rwlockattr_t *attributes, int *shared)
{
    *shared = attributes->process_shared;
    return 0;
}
