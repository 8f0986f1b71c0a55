/* SPDX-License-Identifier: MIT */
/* Starts processes. Serving thread only. */
#ifndef ROOT_SPAWN_H
#define ROOT_SPAWN_H

#include <base/check.h>

#include "archive.h"
#include "process.h"
#include "slots.h"
#include "stack.h"

struct spawn_request {
    const char *arguments; /* zero-terminated strings, one after the other; the first names the program */
    size_t bytes;
    uint64_t parent;
    unsigned priority;
    bool operator;
    bool server;                                 /* other programs ask it: it must not ask the file server */
    bool apart;                                  /* the programs that it starts begin sessions of their own */
    bool dma;                                    /* it has devices use its memory */
    int (*endow)(const struct process *process); /* gives what only this program gets, before it starts; may be NULL */
};

/*
 * Creates a process, loads the program into it, gives it its standard capabilities and starts it. On an error nothing
 * of it is left: those of archive_program() and stack_build(); EAGAIN: the process table is full; what memsrv or
 * `endow` says.
 */
MUST_CHECK int spawn(const struct spawn_request *request, const struct process **process);

/* The same for a program that was found and a stack that was built; the request's arguments do not count. */
MUST_CHECK int spawn_program(const struct spawn_request *request, const struct program *program,
                             const struct stack_image *stack, const struct process **process);

/* Where a process is built: the number that its space has meanwhile, and root's slots for its thread and its table. */
struct workplace {
    uint64_t space, thread, table;
};

/* Puts program and stack into the space, which is empty, creates its first thread and gives it what every program has,
 * in the name of the process. What memsrv says; the space may be filled in part then. */
MUST_CHECK int furnish_space(const struct process *process, const struct workplace *place,
                             const struct program *program, const struct stack_image *stack, unsigned priority);

/* Gives it the endpoint of the file server, if there is one: it can have been given up. */
MUST_CHECK int give_files(const struct process *process, const struct workplace *place);

/* Has memsrv end the space at a workplace, and empties its slots. */
void workplace_end(const struct workplace *place);

/* Has memsrv end the process's address space and everything in it, and empties the slots of its entry. */
void space_end(const struct process *process);

struct fork_request {
    uint64_t instruction, stack, argument; /* the child's first thread begins with them */
    uint64_t thread;                       /* the parent's number of the thread that asked */
    unsigned priority;
};

/* Makes a copy of a running process, as its child. EAGAIN: too many processes; ENOMEM; or memsrv's or the kernel's error.
 * A failure leaves nothing behind. */
MUST_CHECK int fork_process(const struct process *parent, const struct fork_request *request,
                            const struct process **result);

#endif
