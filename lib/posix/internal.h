/* SPDX-License-Identifier: MIT */
/*
 * What the files of this library share and programs do not see.
 */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct _reent;

/* Where a thread keeps what is its own: words of struct ipc_buffer.user, zero in a thread that nobody prepared. */
enum thread_word {
    THREAD_WORD_REENT = 0,  /* struct _reent *; 0: the program's first one */
    THREAD_WORD_THREAD = 1, /* struct thread *; 0: the first thread */
};

/* Bytes that tls_place() needs for a thread's variables; 0 if the program has none. */
size_t tls_bytes(void);

/* Puts the calling thread's variables with their first values into `block`, which tls_bytes() bytes long and aligned to
 * TLS_ALIGNMENT_MAX, and lets the machine find them there. */
void tls_place(void *block);
#define TLS_ALIGNMENT_MAX 64UL

/* In the child of a fork, whose capability table is new: all slots are free again. */
void slots_child_of_fork(void);

/* Tells a console server that has just started the mode that this program had asked the last one for. */
void terminal_mode_again(void);

/* Sets errno for a negative errno value and returns -1; for 0 and above returns the value. */
static inline long posix_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

#endif
