/* SPDX-License-Identifier: MIT */
/*
 * Threads: one mapping holds, from low to high, an inaccessible page, the stack, the thread-local variables and the
 * thread's record with its C library state.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <reent.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREAD_STACK_BYTES (256UL * 1024)
#define PRIORITY_FALLBACK  16u
#define STACK_ALIGNMENT    TLS_ALIGNMENT_MAX

struct thread {
    int (*function)(void *);
    void *argument;
    int result;
    uint64_t number;
    uint64_t slot;  /* its capability */
    uint64_t ended; /* slot of the notification that it signals at its end */
    uint64_t ended_identifier;
    uint64_t mapping, bytes; /* all of its memory, this record included */
    void *variables;         /* for tls_place(); null: the program has none */
    struct _reent reent;
};

static _Atomic uint64_t thread_last_number;

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static struct thread *thread_self(void)
{
    return (struct thread *)ipc_buffer()->user[THREAD_WORD_THREAD];
}

uint64_t thread_number(void)
{
    const struct thread *self = thread_self();
    return self ? self->number : 0;
}

uint64_t thread_slot(const struct thread *thread)
{
    return thread->slot;
}

/* The first code of a thread. It ends by waiting for the end that thread_join() makes of it. */
static _Noreturn void thread_entry(struct thread *self)
{
    uint64_t bits;

    ipc_buffer()->user[THREAD_WORD_REENT] = (uint64_t)&self->reent;
    ipc_buffer()->user[THREAD_WORD_THREAD] = (uint64_t)self;
    if (self->variables)
        tls_place(self->variables);
    self->result = self->function(self->argument);
    (void)!sys_signal(self->ended, 1);
    for (;;)
        (void)!sys_wait(SLOT_NONE, DEADLINE_NEVER, &bits);
}

/* Maps a thread's memory and puts its record at the upper end. */
static int thread_memory(struct thread **thread)
{
    const size_t variables = tls_bytes();
    const size_t upper = round_up(sizeof(struct thread), STACK_ALIGNMENT) + round_up(variables, STACK_ALIGNMENT);
    const uint64_t bytes = round_up(PAGE_SIZE + THREAD_STACK_BYTES + upper, PAGE_SIZE);
    uint64_t mapping;
    int error = memsrv_map(SLOT_MEMSRV, 0, bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE, 0, &mapping);

    if (error < 0)
        return error;
    error = memsrv_protect(SLOT_MEMSRV, mapping, PAGE_SIZE, 0);
    if (error < 0) {
        (void)!memsrv_unmap(SLOT_MEMSRV, mapping, bytes);
        return error;
    }
    *thread = (struct thread *)(mapping + bytes - round_up(sizeof(struct thread), STACK_ALIGNMENT));
    (*thread)->mapping = mapping;
    (*thread)->bytes = bytes;
    if (variables)
        (*thread)->variables = (char *)*thread - round_up(variables, STACK_ALIGNMENT);
    return 0;
}

/* Creates the kernel's side: the notification, then the thread, stopped. Undoes itself on an error. */
static int thread_objects(struct thread *thread)
{
    uint64_t buffer;
    int error = -EMFILE;

    thread->ended = slot_allocate();
    thread->slot = slot_allocate();
    if (thread->ended != SLOT_NONE && thread->slot != SLOT_NONE)
        error = memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &thread->ended_identifier, thread->ended);
    if (error == 0) {
        error = memsrv_thread_create(SLOT_MEMSRV, thread->number, &buffer, thread->slot);
        if (error < 0)
            (void)!memsrv_object_destroy(SLOT_MEMSRV, thread->ended_identifier);
    }
    if (error < 0) {
        slot_free(thread->slot);
        slot_free(thread->ended);
    }
    return error;
}

/* Frees what thread_objects() made; the first error, if any. */
static int thread_objects_free(const struct thread *thread)
{
    const int error = memsrv_thread_destroy(SLOT_MEMSRV, thread->number);
    const int second = memsrv_object_destroy(SLOT_MEMSRV, thread->ended_identifier);

    slot_free(thread->slot);
    slot_free(thread->ended);
    return error < 0 ? error : second;
}

/* The first thread's priority: a new thread gets the same. */
static uint64_t thread_priority(void)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;
    if (sys_thread_control(SLOT_THREAD, THREAD_INFO, 0, 0, 0, 0, 0) < 0)
        return PRIORITY_FALLBACK;
    return info->priority;
}

static int thread_start(struct thread *thread)
{
    const uint64_t stack = (uint64_t)(thread->variables ? thread->variables : (void *)thread);
    long error = sys_thread_control(thread->slot, THREAD_PRIORITY, thread_priority(), 0, 0, 0, 0);
    if (error == 0)
        error = sys_thread_control(thread->slot, THREAD_START, (uint64_t)thread_entry, stack, (uint64_t)thread, 0, 0);
    return (int)error;
}

/* The C library's state, with the standard streams of the first thread: otherwise each thread would have streams, and
 * buffers, of its own. */
static void thread_reent(struct _reent *reent)
{
    /* Makes the streams if nobody has used one yet. */
    (void)fflush(stdout);
    _REENT_INIT_PTR_ZEROED(reent);
    reent->_stdin = _GLOBAL_REENT->_stdin;
    reent->_stdout = _GLOBAL_REENT->_stdout;
    reent->_stderr = _GLOBAL_REENT->_stderr;
    reent->__sdidinit = 1;
}

int thread_create(struct thread **thread, int (*function)(void *), void *argument)
{
    struct thread *new;
    int error = thread_memory(&new);

    if (error < 0)
        return error;
    new->function = function;
    new->argument = argument;
    new->number = atomic_fetch_add(&thread_last_number, 1) + 1;
    thread_reent(&new->reent);
    error = thread_objects(new);
    if (error == 0) {
        error = thread_start(new);
        if (error < 0)
            (void)!thread_objects_free(new);
    }
    if (error < 0) {
        (void)!memsrv_unmap(SLOT_MEMSRV, new->mapping, new->bytes);
        return error;
    }
    *thread = new;
    return 0;
}

int thread_join(struct thread *thread, int *result)
{
    uint64_t bits;

    const long waited = sys_wait(thread->ended, DEADLINE_NEVER, &bits);
    if (waited < 0)
        return (int)waited;
    if (result)
        *result = thread->result;
    const int error = thread_objects_free(thread);
    /* The streams are the first thread's: there is nothing to clean up, and no function for it. */
    thread->reent.__sdidinit = 0;
    _reclaim_reent(&thread->reent);
    const int second = memsrv_unmap(SLOT_MEMSRV, thread->mapping, thread->bytes);
    return error < 0 ? error : second;
}
