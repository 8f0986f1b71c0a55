/* SPDX-License-Identifier: MIT */
/*
 * What the library knows of a thread. <quire/thread.h> and <pthread.h> are two faces of the same record; a pthread_t is
 * its address. The first thread's record is static, all others lie at the upper end of their stacks' mappings.
 */
#ifndef POSIX_THREAD_RECORD_H
#define POSIX_THREAD_RECORD_H

#include "internal.h"

#include <limits.h>
#include <quire/syscall.h>
#include <reent.h>
#include <stdbool.h>

/* Values of thread.joiner; a value above them is the slot of the notification that the joiner waits at. */
enum thread_end {
    THREAD_UNCLAIMED = 0,
    THREAD_DETACHED = 1,
    THREAD_ENDED = 2,
    THREAD_POLLED = 3, /* the joiner has no notification and looks now and then */
};
_Static_assert((int)SLOT_FIRST_FREE > (int)THREAD_POLLED, "slots are above the other values");

#define THREAD_NAME_BYTES 16

struct thread_key_value {
    const void *value;
    uint32_t generation; /* of the key that it was set for */
};

struct thread {
    void (*run)(struct thread *self); /* calls the function, stores its result */
    void *function, *argument, *result;
    uint64_t number;
    uint64_t slot;           /* its capability; SLOT_NONE: not kept */
    uint64_t mapping, bytes; /* its memory, this record included; 0: the first thread */
    uint64_t stack, stack_bytes, guard_bytes;
    void *variables;  /* for tls_place(); null: the program has none */
    uint64_t joiner;  /* enum thread_end or a slot; atomic */
    uint64_t parking; /* slot of the notification that it waits at; SLOT_NONE: none yet; atomic */
    struct thread *next_dead;
    struct _pthread_cleanup_context *cleanup; /* innermost first */
    uint32_t cancel_pending;                  /* atomic */
    char name[THREAD_NAME_BYTES];             /* for pthread_getname_np() */
    bool cancel_disabled;
    bool ending;            /* runs its last handlers */
    uint32_t read_locks;    /* rwlocks that it holds for reading */
    uint32_t process;       /* getpid() when it was last asked for; 0: never */
    uint64_t handled;       /* handlers of signals that it ran; atomic */
    uint64_t interruptions; /* those among them that let calls end with EINTR; atomic */
    uint64_t signal_mask;   /* that it begins with, if `signals` is set */
    bool signals;
    uint32_t key_end; /* values of keys from this one on were never set */
    struct thread_key_value values[PTHREAD_KEYS_MAX];
    struct _reent reent; /* not used by the first thread, whose is newlib's own */
};

struct thread_options {
    size_t stack_bytes;
    size_t guard_bytes;
    void *stack; /* of the program's; null: one is mapped */
    bool detached, keep_slot;
};

/* The calling thread's record; for what only threads call that the library, or program_start(), has prepared. */
static inline struct thread *thread_self(void)
{
    return (struct thread *)ipc_buffer()->user[THREAD_WORD_THREAD];
}

/* The same, or null in a thread of a server's own making. */
static inline struct thread *thread_self_if_any(void)
{
    return ipc_buffer() ? thread_self() : NULL;
}

/* The number by which root and memsrv know the calling thread. */
static inline uint64_t thread_number_of_caller(void)
{
    const struct thread *self = thread_self_if_any();
    return self ? self->number : 0;
}

/* Starts a thread as `prototype` says (run, function, argument) and `options`. ENOMEM, EDQUOT, EMFILE: nothing is left
 * behind. *thread is valid until it was joined, or until it ended if detached. */
__attribute__((warn_unused_result)) int thread_start(struct thread **thread, const struct thread *prototype,
                                                     const struct thread_options *options);

/* Ends the calling thread, whose handlers have run. The last thread of a program to end ends it with status 0. */
_Noreturn void thread_end(struct thread *self);

/* Waits for the thread's end and frees it; *result (may be null) is what it left. ECANCELED: with `cancel`, the caller
 * was; EINVAL: detached, or another joins; EDEADLK: itself. */
__attribute__((warn_unused_result)) int thread_wait_end(struct thread *thread, void **result, bool cancel);

/* Lets nobody wait for the thread; it is freed after its end. EINVAL: it is detached or joined already. */
__attribute__((warn_unused_result)) int thread_detach(struct thread *thread);

/* The notification that only the calling thread waits at; SLOT_NONE: there is none left. Any bit wakes it, at times
 * for no reason, since notifications are used again by later threads: look at what is waited for. */
uint64_t thread_parking(struct thread *self);

/* True if the program has no thread but the caller. */
bool thread_is_alone(void);

/* Names the calling thread as an owner of locks, never 0: `shared` to all processes, otherwise in its own. */
unsigned long thread_owner(bool shared);

/* True if somebody asked for the thread's cancellation and it is enabled. */
static inline bool thread_cancel_due(const struct thread *self)
{
    return __atomic_load_n(&self->cancel_pending, __ATOMIC_SEQ_CST) && !self->cancel_disabled && !self->ending;
}

/* Runs the destructors of the thread's keys, as often as POSIX asks. */
void thread_keys_end(struct thread *self);

/* Sleeps until the deadline; ECANCELED: the thread is to be cancelled; EINTR: it has run a handler. */
__attribute__((warn_unused_result)) int thread_sleep(uint64_t deadline);

#endif
