/* SPDX-License-Identifier: MIT */
/*
 * POSIX threads: their start, their end, and the names that they go by.
 */
#include "thread_record.h"

#include <pthread.h>
#include <string.h>

/* newlib declares these for _GNU_SOURCE only. */
void pthread_yield(void);
int pthread_getname_np(pthread_t name, char *text, size_t bytes);
int pthread_setname_np(pthread_t name, const char *text);
void _pthread_cleanup_push_defer(struct _pthread_cleanup_context *context, void (*routine)(void *), void *argument);
void _pthread_cleanup_pop_restore(struct _pthread_cleanup_context *context, int execute);

static struct thread *thread_of(pthread_t name)
{
    return (struct thread *)name;
}

/* The error that POSIX has for a thread that cannot be made for lack of something. */
static int creation_error(int error)
{
    return error == -ENOMEM || error == -EDQUOT || error == -EMFILE ? EAGAIN : -error;
}

static void run_start_routine(struct thread *self)
{
    void *(*routine)(void *) = (void *(*)(void *))self->function;
    pthread_exit(routine(self->argument));
}

int pthread_create(pthread_t *name, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument)
{
    const struct thread prototype = {.run = run_start_routine, .function = (void *)routine, .argument = argument};
    pthread_attr_t defaults;
    struct thread *thread;

    if (!attributes) {
        (void)pthread_attr_init(&defaults);
        attributes = &defaults;
    }
    if (!attributes->is_initialized)
        return EINVAL;
    const struct thread_options options = {
        .stack = attributes->stackaddr,
        .stack_bytes = attributes->stacksize,
        .guard_bytes = attributes->guardsize,
        .detached = attributes->detachstate == PTHREAD_CREATE_DETACHED,
    };
    const int error = thread_start(&thread, &prototype, &options);
    if (error < 0)
        return creation_error(error);
    *name = (pthread_t)thread;
    return 0;
}

int pthread_join(pthread_t name, void **result)
{
    const int error = thread_wait_end(thread_of(name), result, true);

    if (error == -ECANCELED)
        pthread_testcancel();
    return -error;
}

int pthread_detach(pthread_t name)
{
    return -thread_detach(thread_of(name));
}

/* Takes the innermost handler off the list and calls it. */
static void run_cleanup(struct thread *self)
{
    struct _pthread_cleanup_context *context = self->cleanup;

    self->cleanup = context->_previous;
    context->_routine(context->_arg);
}

void pthread_exit(void *result)
{
    struct thread *self = thread_self();

    self->ending = true;
    while (self->cleanup)
        run_cleanup(self);
    thread_keys_end(self);
    self->result = result;
    thread_end(self);
}

pthread_t pthread_self(void)
{
    return (pthread_t)thread_self();
}

int pthread_equal(pthread_t first, pthread_t second)
{
    return first == second;
}

int pthread_setname_np(pthread_t name, const char *text)
{
    struct thread *thread = thread_of(name);

    if (strlen(text) >= sizeof(thread->name))
        return ERANGE;
    strcpy(thread->name, text);
    return 0;
}

int pthread_getname_np(pthread_t name, char *text, size_t bytes)
{
    const struct thread *thread = thread_of(name);

    if (strlen(thread->name) >= bytes)
        return ERANGE;
    strcpy(text, thread->name);
    return 0;
}

void pthread_yield(void)
{
    (void)sys_yield();
}

int sched_yield(void)
{
    (void)sys_yield();
    return 0;
}

int pthread_getconcurrency(void)
{
    return 0;
}

/* Every thread is one of the kernel's, so there is nothing to choose. */
int pthread_setconcurrency(int level)
{
    return level < 0 ? EINVAL : 0;
}

/* --- Cancellation ------------------------------------------------------------------------------------------------- */

int pthread_cancel(pthread_t name)
{
    struct thread *thread = thread_of(name);

    __atomic_store_n(&thread->cancel_pending, 1, __ATOMIC_SEQ_CST);
    const uint64_t parking = __atomic_load_n(&thread->parking, __ATOMIC_SEQ_CST);
    /* Whoever waits there looks why it was woken. */
    if (parking != SLOT_NONE)
        (void)!sys_signal(parking, 1);
    return 0;
}

int pthread_setcancelstate(int state, int *old)
{
    struct thread *self = thread_self();

    if (state != PTHREAD_CANCEL_ENABLE && state != PTHREAD_CANCEL_DISABLE)
        return EINVAL;
    if (old)
        *old = self->cancel_disabled ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
    self->cancel_disabled = state == PTHREAD_CANCEL_DISABLE;
    return 0;
}

int pthread_setcanceltype(int type, int *old)
{
    if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
        return ENOTSUP;
    if (type != PTHREAD_CANCEL_DEFERRED)
        return EINVAL;
    if (old)
        *old = PTHREAD_CANCEL_DEFERRED;
    return 0;
}

void thread_cancellation_point(void)
{
    const struct thread *self = thread_self_if_any();

    if (self && thread_cancel_due(self))
        pthread_exit(PTHREAD_CANCELED);
}

void pthread_testcancel(void)
{
    thread_cancellation_point();
}

void _pthread_cleanup_push(struct _pthread_cleanup_context *context, void (*routine)(void *), void *argument)
{
    struct thread *self = thread_self();

    *context = (struct _pthread_cleanup_context){._routine = routine, ._arg = argument, ._previous = self->cleanup};
    self->cleanup = context;
}

void _pthread_cleanup_pop(struct _pthread_cleanup_context *context, int execute)
{
    struct thread *self = thread_self();

    if (execute)
        run_cleanup(self);
    else
        self->cleanup = context->_previous;
}

/* There is no other cancellation than the deferred one. */
void _pthread_cleanup_push_defer(struct _pthread_cleanup_context *context, void (*routine)(void *), void *argument)
{
    _pthread_cleanup_push(context, routine, argument);
}

void _pthread_cleanup_pop_restore(struct _pthread_cleanup_context *context, int execute)
{
    _pthread_cleanup_pop(context, execute);
}
