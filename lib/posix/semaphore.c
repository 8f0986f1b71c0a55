/* SPDX-License-Identifier: MIT */
/*
 * Semaphores. An unnamed one keeps its value and the number of threads that wait for it in one word, so that a post
 * learns with the same step in which it gives the unit whether to wake somebody, and need not look at the semaphore
 * afterwards: whoever got the unit may have freed it. Named ones are root's.
 */
#include "futex.h"
#include "lock_word.h"
#include "thread_record.h"

#include <proto/root_client.h>
#include <pthread.h>
#include <quire/clock.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KIND_NAMED 2u
#define ONE_WAITER (1UL << 32)
#define POLL_NS    1000000UL

/* The value: the futex's word is the lower half of the state. */
static uint32_t *value_word(sem_t *semaphore)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half comes first");
    return (uint32_t *)&semaphore->state;
}

static unsigned futex_flags(const sem_t *semaphore)
{
    return semaphore->kind ? FUTEX_SHARED : 0;
}

/* --- Unnamed ------------------------------------------------------------------------------------------------------ */

int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    if (value > SEM_VALUE_MAX)
        return (int)posix_result(-EINVAL);
    *semaphore = (sem_t){.state = value, .kind = shared ? FUTEX_SHARED : 0};
    return 0;
}

int sem_destroy(sem_t *semaphore)
{
    if (semaphore->kind == KIND_NAMED)
        return (int)posix_result(-EINVAL);
    if (__atomic_load_n(&semaphore->state, __ATOMIC_ACQUIRE) >= ONE_WAITER)
        return (int)posix_result(-EBUSY);
    return 0;
}

/* Takes a unit if there is one, and with it `leaves`: what the caller counts among those that wait. */
static bool take_unit(sem_t *semaphore, unsigned long leaves)
{
    unsigned long state = __atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);

    while ((uint32_t)state > 0) {
        if (__atomic_compare_exchange_n(&semaphore->state, &state, state - 1 - leaves, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

static int wait_unnamed(sem_t *semaphore, uint64_t deadline)
{
    int error = 0;

    __atomic_add_fetch(&semaphore->state, ONE_WAITER, __ATOMIC_SEQ_CST);
    while (!take_unit(semaphore, ONE_WAITER)) {
        if (error == -ETIMEDOUT || error == -ECANCELED) {
            __atomic_sub_fetch(&semaphore->state, ONE_WAITER, __ATOMIC_SEQ_CST);
            return error;
        }
        error = futex_wait(value_word(semaphore), 0, deadline, futex_flags(semaphore) | FUTEX_CANCEL);
    }
    return 0;
}

static int post_unnamed(sem_t *semaphore)
{
    const unsigned flags = futex_flags(semaphore);
    unsigned long state = __atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);

    do {
        if ((uint32_t)state == SEM_VALUE_MAX)
            return -EOVERFLOW;
    } while (
        !__atomic_compare_exchange_n(&semaphore->state, &state, state + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (state >= ONE_WAITER)
        futex_wake(value_word(semaphore), 1, flags);
    return 0;
}

/* --- Named -------------------------------------------------------------------------------------------------------- */

/* What sem_open() has given out: opening a name again gives the same address. */
struct named {
    sem_t semaphore;
    struct named *next;
    unsigned opens;
};

static pthread_mutex_t names_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct named *names;

static struct named *find_named(uint64_t handle)
{
    struct named *named = names;

    while (named && named->semaphore.handle != handle)
        named = named->next;
    return named;
}

/* The address for a handle, which root has counted one more opening of. ENOMEM: nothing has changed here. */
static int enter_named(uint64_t handle, sem_t **semaphore)
{
    struct named *named = find_named(handle);

    if (!named) {
        named = malloc(sizeof(*named));
        if (!named)
            return -ENOMEM;
        *named = (struct named){.semaphore = {.kind = KIND_NAMED, .handle = handle}, .next = names};
        names = named;
    }
    named->opens++;
    *semaphore = &named->semaphore;
    return 0;
}

sem_t *sem_open(const char *name, int flags, ...)
{
    sem_t *semaphore = SEM_FAILED;
    unsigned value = 0;
    uint64_t handle;

    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        (void)va_arg(rest, mode_t);
        value = va_arg(rest, unsigned);
        va_end(rest);
    }
    const uint64_t request =
        (flags & O_CREAT ? ROOT_SEMAPHORE_CREATE : 0) | (flags & O_EXCL ? ROOT_SEMAPHORE_EXCLUSIVE : 0);
    (void)pthread_mutex_lock(&names_mutex);
    int error = root_semaphore_open(SLOT_ROOT, request, value, name, strlen(name), &handle);
    if (error == 0) {
        error = enter_named(handle, &semaphore);
        if (error < 0)
            (void)!root_semaphore_close(SLOT_ROOT, handle);
    }
    (void)pthread_mutex_unlock(&names_mutex);
    (void)posix_result(error);
    return semaphore;
}

int sem_close(sem_t *semaphore)
{
    struct named **place = &names;
    int error = -EINVAL;

    (void)pthread_mutex_lock(&names_mutex);
    while (*place && &(*place)->semaphore != semaphore)
        place = &(*place)->next;
    struct named *named = *place;
    if (named) {
        error = root_semaphore_close(SLOT_ROOT, semaphore->handle);
        if (--named->opens == 0) {
            *place = named->next;
            free(named);
        }
    }
    (void)pthread_mutex_unlock(&names_mutex);
    return (int)posix_result(error);
}

int sem_unlink(const char *name)
{
    return (int)posix_result(root_semaphore_unlink(SLOT_ROOT, name, strlen(name)));
}

/* Tries, and sleeps a while, for a thread that has no notification to be woken by. 1: the unit is the caller's; 0: look
 * again; or an error. */
static int poll_named(const sem_t *semaphore, const struct thread *self, uint64_t deadline)
{
    const int error = root_semaphore_try(SLOT_ROOT, semaphore->handle);

    if (error != -EAGAIN)
        return error < 0 ? error : 1;
    if (thread_cancel_due(self))
        return -ECANCELED;
    if (clock_now_ns() >= deadline)
        return -ETIMEDOUT;
    clock_sleep_until(clock_now_ns() + POLL_NS);
    return 0;
}

/* Sleeps in root's queue once. Results as above. */
static int queue_named(const sem_t *semaphore, struct thread *self, uint64_t deadline)
{
    const uint64_t parking = thread_parking(self);
    uint64_t granted, bits;

    if (parking == SLOT_NONE)
        return poll_named(semaphore, self, deadline);
    int error = root_semaphore_wait(SLOT_ROOT, semaphore->handle, self->number, parking, &granted);
    if (error < 0 || granted)
        return error < 0 ? error : 1;
    const long result = thread_cancel_due(self) ? -ECANCELED : sys_wait(parking, deadline, &bits);
    error = root_wait_end(SLOT_ROOT, self->number, &granted);
    if (error == 0 && granted)
        return 1;
    return result == -ETIMEDOUT || result == -ECANCELED ? (int)result : 0;
}

static int wait_named(const sem_t *semaphore, uint64_t deadline)
{
    int result = 0;

    while (result == 0)
        result = queue_named(semaphore, thread_self(), deadline);
    return result < 0 ? result : 0;
}

/* --- Both --------------------------------------------------------------------------------------------------------- */

static int try_unit(sem_t *semaphore)
{
    if (semaphore->kind == KIND_NAMED)
        return root_semaphore_try(SLOT_ROOT, semaphore->handle);
    return take_unit(semaphore, 0) ? 0 : -EAGAIN;
}

static int wait_until(sem_t *semaphore, uint64_t deadline)
{
    const int error =
        semaphore->kind == KIND_NAMED ? wait_named(semaphore, deadline) : wait_unnamed(semaphore, deadline);

    if (error == -ECANCELED)
        thread_cancellation_point();
    return (int)posix_result(error);
}

int sem_wait(sem_t *semaphore)
{
    thread_cancellation_point();
    if (semaphore->kind != KIND_NAMED && take_unit(semaphore, 0))
        return 0;
    return wait_until(semaphore, DEADLINE_NEVER);
}

int sem_trywait(sem_t *semaphore)
{
    return (int)posix_result(try_unit(semaphore));
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *time)
{
    uint64_t deadline;

    thread_cancellation_point();
    int error = try_unit(semaphore);
    if (error != -EAGAIN)
        return (int)posix_result(error);
    error = clock_deadline(clock, time, &deadline);
    return error < 0 ? (int)posix_result(error) : wait_until(semaphore, deadline);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *time)
{
    return sem_clockwait(semaphore, CLOCK_REALTIME, time);
}

int sem_post(sem_t *semaphore)
{
    return (int)posix_result(semaphore->kind == KIND_NAMED ? root_semaphore_post(SLOT_ROOT, semaphore->handle)
                                                           : post_unnamed(semaphore));
}

int sem_getvalue(sem_t *semaphore, int *value)
{
    uint64_t units = 0;

    if (semaphore->kind != KIND_NAMED) {
        *value = (int)(uint32_t)__atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);
        return 0;
    }
    const int error = root_semaphore_value(SLOT_ROOT, semaphore->handle, &units);
    if (error == 0)
        *value = (int)units;
    return (int)posix_result(error);
}
