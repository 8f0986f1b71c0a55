/* SPDX-License-Identifier: MIT */
/*
 * What the files of this library share and programs do not see.
 */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct _reent;

/* Where a thread keeps what is its own: words of struct ipc_buffer.user, zero in a thread that nobody prepared. */
enum thread_word {
    THREAD_WORD_REENT = 0,  /* struct _reent *; 0: the program's first one */
    THREAD_WORD_THREAD = 1, /* struct thread *; 0: a thread of a server's own making */
    THREAD_WORD_FILES = 2,  /* 1: it has found the table of descriptors to be this process's: see descriptor.c */
    THREAD_WORD_SLOTS = 3,  /* the same of the table of slots: see slots.c */
};

/*
 * What the child of a fork, whose only thread has a new IPC buffer and a new capability table, must make anew before it
 * does anything else of this library, in this order; `self` is thread_self() of the thread that forked:
 * - ipc_buffer()->user[] (words 0 and 1), its notification to park at, its record, which becomes that of the first thread:
 *   threads_child_of_fork(self). The other threads' stacks and records stay mapped, unused;
 * - the queues of threads that wait, if the parent had any: futex_child_of_fork().
 * Slots and descriptors are made anew when they are first used: most children use none, and what is not written needs no
 * copy.
 * Locks are kept as they were: fork holds those that the child needs, and gives them back on both sides. Their owner is
 * a thread's record, which is the same there. Thread-local variables are reached through tpidr_el0, which fork keeps.
 * Named semaphores stay open in the child if root is told (semaphores_inherit() in servers/root).
 */
struct thread;
void threads_child_of_fork(struct thread *self);

/* Before the program has a second thread: the table of slots is its own. */
void slots_prepare(void);

/* Calls what pthread_atfork() was given: before the fork, in the parent after it, in the child. */
enum fork_side {
    FORK_PREPARE,
    FORK_PARENT,
    FORK_CHILD,
};
void fork_handlers_run(enum fork_side side);

/* Gives the first thread its record. By program_start(), before anything else of the library. */
void thread_first_prepare(void);

/* The time on the clock of deadlines at which `clock` shows *time. EINVAL: no such clock or time. */
struct timespec;
__attribute__((warn_unused_result)) int clock_deadline(unsigned long clock, const struct timespec *time,
                                                       uint64_t *deadline);

/* Ends the calling thread if it is to be cancelled: what a cancellation point does. */
void thread_cancellation_point(void);

/* Bytes that tls_place() needs for a thread's variables; 0 if the program has none. */
size_t tls_bytes(void);

/* Puts the calling thread's variables with their first values into `block`, which tls_bytes() bytes long and aligned to
 * TLS_ALIGNMENT_MAX, and lets the machine find them there. */
void tls_place(void *block);
#define TLS_ALIGNMENT_MAX 64UL

/* Tells a console server that has just started the mode that this program had asked the last one for. */
void terminal_mode_again(void);

/* Has the child of a fork given the descriptors of the caller, its parent, as they are now. The child itself asks, if it is
 * faster, when it first uses one. */
void files_fork(pid_t child);

/* In the child of a fork: if a thread of the parent other than the one that forked holds the lock, it is free. */
struct __lock;
void lock_forget_others(struct __lock *lock);

/* In a program that another has executed: what has FD_CLOEXEC is closed now and not at the first use of a descriptor. */
void files_begin(void);

/* What fcntl() does, with a negative errno as its result; the argument is an int, or the address of a struct flock. */
int file_control(int file, int command, long argument);

/* Has the file server grant the program the memory object of an open file, for a mapping with `protection` (of mmap(),
 * writing only if it is shared). The grant is to be released when the object is mapped. EBADF, ENODEV, EACCES, ENOMEM. */
__attribute__((warn_unused_result)) int file_map_object(int file, int protection, uint64_t *object);

/* Sets errno for a negative errno value and returns -1; for 0 and above returns the value. */
static inline long posix_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

#endif
