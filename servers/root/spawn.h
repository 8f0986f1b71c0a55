/* SPDX-License-Identifier: MIT */
/* Starts processes. Serving thread only. */
#ifndef ROOT_SPAWN_H
#define ROOT_SPAWN_H

#include <base/check.h>

#include "process.h"

struct spawn_request {
    const char *arguments; /* zero-terminated strings, one after the other; the first names the program */
    size_t bytes;
    uint64_t parent;
    unsigned priority;
    bool operator;
    bool server;                                 /* other programs ask it: it must not ask the file server */
    int (*endow)(const struct process *process); /* gives what only this program gets, before it starts; may be NULL */
};

/*
 * Creates a process, loads the program into it, gives it its standard capabilities and starts it. On an error nothing
 * of it is left: those of archive_program() and stack_build(); EAGAIN: the process table is full; what memsrv or
 * `endow` says.
 */
MUST_CHECK int spawn(const struct spawn_request *request, const struct process **process);

/* Has memsrv end the process's address space and everything in it, and empties the slots of its entry. */
void space_end(const struct process *process);

struct fork_request {
    uint64_t instruction, stack, argument; /* the child's first thread begins with them */
    unsigned priority;
};

/* Makes a copy of a running process, as its child. EAGAIN: too many processes; ENOMEM; or memsrv's or the kernel's error.
 * A failure leaves nothing behind. */
MUST_CHECK int fork_process(const struct process *parent, const struct fork_request *request,
                            const struct process **result);

#endif
