/* SPDX-License-Identifier: MIT */
/*
 * The locks with which the C library guards its heap, its streams and its tables. All locks count, so the recursive ones
 * and the others are the same.
 */
#include "internal.h"
#include "lock_word.h"
#include "thread_record.h"

#include <stdlib.h>
#include <sys/lock.h>

struct __lock {
    uint32_t word;
    unsigned depth; /* how often the owner has taken it; touched only by the owner */
    uint64_t owner; /* lock_self() of who holds it; 0: nobody. Atomic */
};

struct __lock __lock___sinit_recursive_mutex, __lock___sfp_recursive_mutex, __lock___atexit_recursive_mutex,
    __lock___at_quick_exit_mutex, __lock___malloc_recursive_mutex, __lock___env_recursive_mutex, __lock___tz_mutex,
    __lock___dd_hash_mutex, __lock___arc4random_mutex, __lock_working_directory;

/* Stands in for a lock that there was no memory for: too much is excluded then, but nothing is let through. */
static struct __lock lock_shared;

/*
 * The thread's record, which stays the same in the child of a fork. A server's own threads have none, but an IPC buffer
 * that no other thread has; 1 stands for the only thread of a program without one.
 */
static uint64_t lock_self(void)
{
    const struct ipc_buffer *buffer = ipc_buffer();

    if (!buffer)
        return 1;
    const uint64_t record = buffer->user[THREAD_WORD_THREAD];
    return record ? record : (uint64_t)buffer;
}

static void lock_own(_LOCK_T lock, uint64_t self)
{
    __atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
    lock->depth = 1;
}

static inline __attribute__((always_inline)) bool lock_try(_LOCK_T lock)
{
    const uint64_t self = lock_self();

    if (lock_word_try(&lock->word)) {
        lock_own(lock, self);
        return true;
    }
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != self)
        return false;
    lock->depth++;
    return true;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    return lock_try(lock);
}

/* Apart from the common case, which so needs no place on the stack. */
static __attribute__((noinline)) void lock_wait(_LOCK_T lock)
{
    (void)!lock_word_wait(&lock->word, DEADLINE_NEVER, 0);
    lock_own(lock, lock_self());
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (!lock_try(lock))
        lock_wait(lock);
}

void lock_forget_others(_LOCK_T lock)
{
    if (lock->word == 0 || lock->owner == lock_self())
        return;
    lock->owner = 0;
    lock->depth = 0;
    lock->word = 0;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth > 0)
        return;
    __atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
    lock_word_release(&lock->word, 0);
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
