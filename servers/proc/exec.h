/* SPDX-License-Identifier: MIT */
/* A process becomes another program. Serving thread only. */
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include <base/check.h>
#include <proto/root_protocol.h>

#include "archive.h"
#include "process.h"
#include "stack.h"

/* Arguments and environment in a process's memory, as in the protocol; nothing of it is checked. */
struct exec_strings {
    uint64_t address, bytes, arguments, environment;
    uint64_t flags; /* for the program: AT_FLAGS */
};

/* Builds a stack of them, which stays until the next call. EFAULT, E2BIG, EINVAL, ENOMEM. */
MUST_CHECK int exec_read_strings(const struct process *process, const struct exec_strings *strings,
                                 const struct stack_image **stack);

/* Reads a program's headers, which are in a process's memory; its pages are those of an object of the process's.
 * ENOEXEC: it is no program for this machine, or cannot be mapped; EFAULT, EINVAL, ENOMEM. */
MUST_CHECK int exec_read_program(const struct process *process, const struct root_program_image *image,
                                 struct program *program);

/*
 * Makes the process the program: all of the new space is built beside the old one and then takes its place. ENOMEM, or
 * memsrv's or the kernel's error: the process is as it was. The process is no operator afterwards, and
 * has the signal mask of its thread `thread`, which asked, unless the program says otherwise.
 */
MUST_CHECK int exec_process(struct process *process, const struct program *program, const struct stack_image *stack,
                            uint64_t thread, unsigned priority);

#endif
