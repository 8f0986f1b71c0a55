/* SPDX-License-Identifier: MIT */
/* Processes that stop and go on. Serving thread only. */
#ifndef PROC_STOP_H
#define PROC_STOP_H

#include <base/check.h>

#include "process.h"

#define THREAD_NONE UINT64_MAX

/* A signal stops a running process: process_halt() is to be called. Nothing happens if it is one of the terminal's and the
 * process's group is orphaned. */
void process_stop(struct process *process, unsigned signal);

/*
 * Stops the threads of a process that is to stop, of which the caller has stopped one already, `stopped` (or
 * THREAD_NONE). True: all have stopped, and the parent has been told. False: servers work for some; they go on, and the
 * call is to be made again.
 */
MUST_CHECK bool process_halt(struct process *process, uint64_t stopped);

/* Lets a process go on that has stopped or is about to, and tells its parent. The threads of one that has stopped are held
 * until process_release(), which delivery calls: what waits for them comes before what they did last. */
void process_continue(struct process *process);
void process_release(struct process *process);

/* A process has ended, though its children do not know yet: those of them and of its group that have stopped, and whom
 * nobody would let go on any more, are told to. */
void process_left(struct process *process);

#endif
