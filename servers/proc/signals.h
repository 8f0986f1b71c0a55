/* SPDX-License-Identifier: MIT */
/*
 * Signals of one process as data: actions, masks, what is pending, and which is next. Pure; no system calls. A set has
 * bit n - 1 for signal n.
 */
#ifndef PROC_SIGNALS_H
#define PROC_SIGNALS_H

#include <base/check.h>
#include <proto/signal_frame.h>
#include <stdbool.h>
#include <stddef.h>

enum signal_number {
    SIGNAL_HANGUP = 1,
    SIGNAL_KILL = 9,
    SIGNAL_BUS = 7,
    SIGNAL_SEGV = 11,
    SIGNAL_ALARM = 14,
    SIGNAL_CHILD = 17,
    SIGNAL_CONTINUE = 18,
    SIGNAL_STOP = 19,
    SIGNAL_TERMINAL_STOP = 20,
    SIGNAL_TERMINAL_IN = 21,
    SIGNAL_TERMINAL_OUT = 22,
    SIGNAL_URGENT = 23,
    SIGNAL_WINDOW = 28,
};

enum signal_code {
    SIGNAL_CODE_USER = 0,
    SIGNAL_CODE_KERNEL = 0x80,
    SIGNAL_CODE_MAP_ERROR = 1, /* SEGV: nothing is there */
    SIGNAL_CODE_ACCESS = 2,    /* SEGV: what is there does not allow it */
    SIGNAL_CODE_ALIGNMENT = 1, /* BUS */
    SIGNAL_CODE_NO_DATA = 2,   /* BUS: past the end of an object */
};

enum signal_how {
    SIGNAL_MASK_BLOCK = 0,
    SIGNAL_MASK_UNBLOCK = 1,
    SIGNAL_MASK_SET = 2,
    SIGNAL_MASK_GET = 3,
    SIGNAL_MASK_SUSPEND = 4, /* set, until a handler has run */
};

enum signal_disposition {
    SIGNAL_ENDS,
    SIGNAL_IGNORED,
    SIGNAL_STOPS,
    SIGNAL_CAUGHT,
};

#define SIGNAL_BIT(signal) (1UL << ((signal)-1))
#define SIGNALS_ALL        (SIGNAL_BIT(SIGNAL_COUNT) - 1)
#define SIGNALS_STOPS                                                                                                  \
    (SIGNAL_BIT(SIGNAL_STOP) | SIGNAL_BIT(SIGNAL_TERMINAL_STOP) | SIGNAL_BIT(SIGNAL_TERMINAL_IN) |                     \
     SIGNAL_BIT(SIGNAL_TERMINAL_OUT))
#define SIGNALS_FORCED (SIGNAL_BIT(SIGNAL_KILL) | SIGNAL_BIT(SIGNAL_STOP)) /* neither blocked nor caught */

struct signal_action {
    uint64_t handler, mask, flags;
};

/* Who sent a signal that is pending. */
struct signal_source {
    int32_t code, pid, status;
    uint64_t value;
};

struct signal_thread {
    uint64_t pid;    /* 0: the entry is free */
    uint64_t number; /* the process's own */
    uint64_t mask, pending;
    uint64_t saved_mask; /* `suspended`: the mask when the next handler returns */
    uint64_t stack, stack_bytes;
    bool suspended;
};

struct signal_process {
    struct signal_action actions[SIGNAL_COUNT];
    struct signal_source sources[SIGNAL_COUNT]; /* of pending ones alone */
    uint64_t pending;
    uint64_t trampoline;            /* where handlers begin; 0: the program has none */
    uint64_t alarm, alarm_interval; /* ns; 0: none */
    struct signal_thread first;     /* the program's first thread */
};

/* Threads besides the first, of all processes, that have a mask or anything pending. */
#define SIGNAL_THREADS_MAX 256u
struct signal_threads {
    struct signal_thread entries[SIGNAL_THREADS_MAX];
    size_t end; /* no entry from here on was ever in use */
};

static inline bool signal_is_valid(uint64_t signal)
{
    return signal >= 1 && signal < SIGNAL_COUNT;
}

/* Everything as a new program has it: default actions, nothing blocked or pending. */
void signals_init(struct signal_process *process, uint64_t pid);

/* What a child has of its parent, after a fork by `thread`: actions and mask. */
void signals_fork(const struct signal_process *parent, const struct signal_thread *thread, struct signal_process *child,
                  uint64_t pid);

/* The process becomes another program, which `thread` asked for: handlers are no more, ignored signals stay ignored. */
void signals_exec(struct signal_process *process, const struct signal_thread *thread);

/* Sets an action; a signal that is ignored then is pending no more. EINVAL: no such signal, or KILL, or STOP. */
MUST_CHECK int signals_set_action(struct signal_process *process, uint64_t signal, const struct signal_action *action);

enum signal_disposition signals_disposition(const struct signal_process *process, unsigned signal);

/* The signals that are pending no more, for a process and all its threads, when this one is sent: a stop takes what lets
 * go on, and the other way round. */
uint64_t signals_opposite(unsigned signal);

/* Makes a signal pending for the process, or for one of its threads (`thread` is not NULL). False: it is ignored, and not
 * blocked, so that nothing has changed. One that is pending already stays as it is. */
MUST_CHECK bool signals_raise(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                              const struct signal_source *source);

/* The signal that the thread is to get next, or 0. */
unsigned signals_next(const struct signal_process *process, const struct signal_thread *thread);

/* Takes a signal, which is pending for thread or process: it is no more. */
void signals_take(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                  struct signal_information *information);

/* A thread's mask; the old one goes to *old. EINVAL: no such `how`; nothing has changed. */
MUST_CHECK int signals_change_mask(struct signal_thread *thread, uint64_t how, uint64_t set, uint64_t *old);

/* The thread is going to run the handler of a signal: the mask changes, and fills in frame->handler, flags, mask. The
 * action goes if it is for one time. */
void signals_begin_handler(struct signal_process *process, struct signal_thread *thread, unsigned signal,
                           struct signal_frame *frame);

/* Where a frame goes below a stack pointer: the alternative stack, if the action wants it and the thread is not on it. */
uint64_t signals_frame_address(const struct signal_thread *thread, uint64_t flags, uint64_t stack_pointer);

/* The entry of a thread that is not its program's first, made if there is none. NULL: there is no room, or, without
 * `make`, no entry. */
struct signal_thread *signals_thread(struct signal_threads *threads, uint64_t pid, uint64_t number, bool make);

/* The next entry of a process after `last` (NULL: the first one), or NULL. */
struct signal_thread *signals_next_thread(struct signal_threads *threads, uint64_t pid,
                                          const struct signal_thread *last);

/* 0, or -EINVAL if KILL or STOP is blocked, or a signal is pending that cannot be. */
MUST_CHECK int signals_check(const struct signal_process *process);

#endif
