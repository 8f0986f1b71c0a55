/* SPDX-License-Identifier: MIT */
/*
 * Attributes of threads.
 */
#include "thread_record.h"

#include <pthread.h>

#define STACK_BYTES_DEFAULT (1024UL * 1024)
#define STACK_BYTES_MAX     (1UL << 40)

int pthread_attr_init(pthread_attr_t *attributes)
{
    *attributes = (pthread_attr_t){
        .is_initialized = 1,
        .detachstate = PTHREAD_CREATE_JOINABLE,
        .stacksize = STACK_BYTES_DEFAULT,
        .guardsize = PAGE_SIZE,
        .contentionscope = PTHREAD_SCOPE_SYSTEM,
        .inheritsched = PTHREAD_INHERIT_SCHED,
        .schedpolicy = SCHED_OTHER,
    };
    return 0;
}

int pthread_attr_destroy(pthread_attr_t *attributes)
{
    attributes->is_initialized = 0;
    return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state)
{
    if (state != PTHREAD_CREATE_DETACHED && state != PTHREAD_CREATE_JOINABLE)
        return EINVAL;
    attributes->detachstate = state;
    return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *state)
{
    *state = attributes->detachstate;
    return 0;
}

static bool is_stack_size(size_t bytes)
{
    return bytes >= PTHREAD_STACK_MIN && bytes <= STACK_BYTES_MAX;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes)
{
    if (!is_stack_size(bytes))
        return EINVAL;
    attributes->stacksize = bytes;
    return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *attributes, size_t *bytes)
{
    *bytes = attributes->stacksize;
    return 0;
}

int pthread_attr_setstack(pthread_attr_t *attributes, void *address, size_t bytes)
{
    if (!is_stack_size(bytes) || !address || (uint64_t)address % 16 != 0)
        return EINVAL;
    attributes->stackaddr = address;
    attributes->stacksize = bytes;
    return 0;
}

int pthread_attr_getstack(const pthread_attr_t *attributes, void **address, size_t *bytes)
{
    *address = attributes->stackaddr;
    *bytes = attributes->stacksize;
    return 0;
}

/* The address alone does not say where a stack begins; POSIX has withdrawn the pair. */
int pthread_attr_setstackaddr(pthread_attr_t *attributes, void *address)
{
    (void)attributes, (void)address;
    return ENOTSUP;
}

int pthread_attr_getstackaddr(const pthread_attr_t *attributes, void **address)
{
    *address = attributes->stackaddr;
    return 0;
}

int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t bytes)
{
    if (bytes > STACK_BYTES_MAX)
        return EINVAL;
    attributes->guardsize = bytes;
    return 0;
}

int pthread_attr_getguardsize(const pthread_attr_t *attributes, size_t *bytes)
{
    *bytes = attributes->guardsize;
    return 0;
}

int pthread_attr_setscope(pthread_attr_t *attributes, int scope)
{
    if (scope != PTHREAD_SCOPE_SYSTEM)
        return scope == PTHREAD_SCOPE_PROCESS ? ENOTSUP : EINVAL;
    attributes->contentionscope = scope;
    return 0;
}

int pthread_attr_getscope(const pthread_attr_t *attributes, int *scope)
{
    *scope = attributes->contentionscope;
    return 0;
}

int pthread_attr_setschedparam(pthread_attr_t *attributes, const struct sched_param *parameters)
{
    if (parameters->sched_priority != 0)
        return ENOTSUP;
    attributes->schedparam = *parameters;
    return 0;
}

int pthread_attr_getschedparam(const pthread_attr_t *attributes, struct sched_param *parameters)
{
    *parameters = attributes->schedparam;
    return 0;
}

int pthread_getattr_np(pthread_t name, pthread_attr_t *attributes)
{
    const struct thread *thread = (const struct thread *)name;

    (void)pthread_attr_init(attributes);
    attributes->stackaddr = (void *)thread->stack;
    attributes->stacksize = thread->stack_bytes;
    attributes->guardsize = thread->guard_bytes;
    if (__atomic_load_n(&thread->joiner, __ATOMIC_RELAXED) == THREAD_DETACHED)
        attributes->detachstate = PTHREAD_CREATE_DETACHED;
    return 0;
}
