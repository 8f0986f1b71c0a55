/* SPDX-License-Identifier: MIT */
/*
 * The threads of C11, which are those of POSIX by other names.
 */
#include "thread_record.h"

#include <base/lock.h>
#include <pthread.h>
#include <threads.h>

static int c11_result(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
    case EAGAIN:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

void call_once(once_flag *flag, void (*function)(void))
{
    (void)pthread_once(flag, function);
}

int cnd_init(cnd_t *condition)
{
    return c11_result(pthread_cond_init(condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
    (void)pthread_cond_destroy(condition);
}

int cnd_signal(cnd_t *condition)
{
    return c11_result(pthread_cond_signal(condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return c11_result(pthread_cond_broadcast(condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return c11_result(pthread_cond_wait(condition, mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict time)
{
    return c11_result(pthread_cond_timedwait(condition, mutex, time));
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;

    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    return c11_result(pthread_mutex_init(mutex, &attributes));
}

void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy(mutex);
}

/* newlib declares these two as locks; what they call is not annotated. */
int mtx_lock(mtx_t *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    return c11_result(pthread_mutex_lock(mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return c11_result(pthread_mutex_trylock(mutex));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict time)
{
    return c11_result(pthread_mutex_timedlock(mutex, time));
}

int mtx_unlock(mtx_t *mutex) NO_THREAD_SAFETY_ANALYSIS
{
    return c11_result(pthread_mutex_unlock(mutex));
}

static void run_start(struct thread *self)
{
    int (*function)(void *) = (thrd_start_t)self->function;
    thrd_exit(function(self->argument));
}

int thrd_create(thrd_t *name, thrd_start_t function, void *argument)
{
    const struct thread prototype = {.run = run_start, .function = (void *)function, .argument = argument};
    pthread_attr_t defaults;
    struct thread *thread;

    (void)pthread_attr_init(&defaults);
    const struct thread_options options = {.stack_bytes = defaults.stacksize, .guard_bytes = defaults.guardsize};
    const int error = thread_start(&thread, &prototype, &options);
    if (error == 0)
        *name = (thrd_t)thread;
    return error == 0 ? thrd_success : thrd_nomem;
}

_Noreturn void thrd_exit(int result)
{
    pthread_exit((void *)(intptr_t)result);
}

int thrd_join(thrd_t name, int *result)
{
    void *left;
    const int error = pthread_join(name, &left);

    if (error == 0 && result)
        *result = (int)(intptr_t)left;
    return c11_result(error);
}

int thrd_detach(thrd_t name)
{
    return c11_result(pthread_detach(name));
}

thrd_t thrd_current(void)
{
    return pthread_self();
}

int thrd_equal(thrd_t first, thrd_t second)
{
    return first == second;
}

/* -1 would be an interruption by a signal; anything below it is an error. */
int thrd_sleep(const struct timespec *duration, struct timespec *rest)
{
    return nanosleep(duration, rest) == 0 ? 0 : -2;
}

void thrd_yield(void)
{
    (void)sys_yield();
}

int tss_create(tss_t *key, tss_dtor_t destructor)
{
    return c11_result(pthread_key_create(key, destructor));
}

void tss_delete(tss_t key)
{
    (void)pthread_key_delete(key);
}

void *tss_get(tss_t key)
{
    return pthread_getspecific(key);
}

int tss_set(tss_t key, void *value)
{
    return c11_result(pthread_setspecific(key, value));
}
