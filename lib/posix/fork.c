/* SPDX-License-Identifier: MIT */
/*
 * fork(): root makes a copy of the address space, in which one thread begins at fork_child(), on the part of the stack
 * that the caller of fork_process() does not use. It has an IPC buffer and a capability table of its own, makes anew
 * what refers to those, and goes on where the parent was.
 */
#include "futex.h"
#include "internal.h"
#include "thread_record.h"

#include <arch/stack_pointer.h>
#include <arch/thread_pointer.h>
#include <proto/root_client.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/lock.h>
#include <unistd.h>

/* What the child needs of the thread that forked; on its stack. */
struct fork_state {
    jmp_buf context;
    struct thread *self;
    void *thread_pointer;
    uint64_t pid; /* the parent's result */
    bool alone;   /* there is no other thread, so nothing of the others' is to be excluded or forgotten */
};

/* Left below the stack pointer of fork(): the parent's calls after the copy was made are no concern of the child's. */
#define STACK_GAP 256UL

extern struct __lock __lock___malloc_recursive_mutex, __lock___env_recursive_mutex, __lock___sfp_recursive_mutex,
    __lock___atexit_recursive_mutex;

/* newlib's: calls a function with each stream that is open. */
int _fwalk(struct _reent *reent, int (*function)(FILE *));

pid_t _fork(void);
pid_t vfork(void);

/* Locks that the child goes on with: no other thread may be half way through what they guard. Where there is none they
 * stay untouched, so that neither side needs a copy of their page. */
static struct __lock *const fork_locks[] = {&__lock___atexit_recursive_mutex, &__lock___env_recursive_mutex,
                                            &__lock___sfp_recursive_mutex, &__lock___malloc_recursive_mutex};
#define FORK_LOCKS (sizeof(fork_locks) / sizeof(fork_locks[0]))

static void take_locks(const struct fork_state *state)
{
    for (size_t i = 0; i < FORK_LOCKS && !state->alone; i++)
        __retarget_lock_acquire_recursive(fork_locks[i]);
}

static void give_locks(const struct fork_state *state)
{
    for (size_t i = state->alone ? 0 : FORK_LOCKS; i > 0;)
        __retarget_lock_release_recursive(fork_locks[--i]);
}

static int forget_holder(FILE *stream)
{
    lock_forget_others(stream->_lock);
    return 0;
}

/* In the child: nobody is left who would give back the lock of a stream that another thread was using. The parent does
 * not wait for them, for one may be reading from a terminal. */
static void forget_stream_holders(const struct fork_state *state)
{
    if (!state->alone)
        (void)_fwalk(_GLOBAL_REENT, forget_holder);
}

static _Noreturn void fork_child(struct fork_state *state)
{
    thread_pointer_set(state->thread_pointer);
    threads_child_of_fork(state->self);
    if (!state->alone)
        futex_child_of_fork();
    longjmp(state->context, 1);
}

pid_t _fork(void)
{
    struct fork_state state = {.self = thread_self(), .thread_pointer = thread_pointer(), .alone = thread_is_alone()};

    fork_handlers_run(FORK_PREPARE);
    take_locks(&state);
    if (setjmp(state.context) != 0) {
        forget_stream_holders(&state);
        give_locks(&state);
        fork_handlers_run(FORK_CHILD);
        return 0;
    }
    const int error = root_fork(SLOT_ROOT, (uint64_t)fork_child, entry_stack((stack_pointer() - STACK_GAP) & ~15UL),
                                (uint64_t)&state, thread_number_of_caller(), &state.pid);
    if (error == 0)
        files_fork((pid_t)state.pid);
    give_locks(&state);
    fork_handlers_run(FORK_PARENT);
    return error < 0 ? (pid_t)posix_result(error) : (pid_t)state.pid;
}

/* The child has memory of its own all the same; a program that keeps to what POSIX allows it cannot tell. */
pid_t vfork(void)
{
    return fork();
}
