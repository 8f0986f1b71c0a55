/* SPDX-License-Identifier: MIT */
/*
 * Signals reach programs. Sending only notes what is pending; signals_deliver(), at the end of whatever root does, ends
 * the programs that a signal ends and lets threads run the handlers of what they catch. Serving thread only.
 */
#ifndef PROC_DELIVERY_H
#define PROC_DELIVERY_H

#include <proto/ipc.h>

#include "process.h"
#include "signals.h"

/* The signals of an entry of the process table. */
struct signal_process *process_signals(const struct process *process);

/* The signal state of a process's thread, made if there is none. NULL: there are too many. */
struct signal_thread *process_signal_thread(const struct process *process, uint64_t number);

/* Forgets a thread that ends. */
void process_signal_thread_end(const struct process *process, uint64_t number);

/* A process begins: with nothing, or, as a child of `parent`, with what its thread `number` gives to the child of a fork. */
void process_signals_begin(const struct process *process);
void process_signals_inherit(const struct process *parent, uint64_t number, const struct process *child);

/* It became another program on the wish of its thread `number`; it has ended. */
void process_signals_exec(const struct process *process, uint64_t number);
void process_signals_end(const struct process *process);

/* Sets the mask of a process's first thread. */
void signals_set_mask(const struct process *process, uint64_t mask);

/* Sends a signal to a running process, or to one of its threads if `thread` is not NULL. */
void signal_send(const struct process *process, struct signal_thread *thread, unsigned signal,
                 const struct signal_source *source);

/* Tells a parent that there are news of a child, which is ended or stopped. True: the parent wants no such child to be
 * kept. */
MUST_CHECK bool signal_child_news(const struct process *child);

/* The thread `number` of a process asks: if it is to get a signal before it has its answer, the answer is put into its
 * registers. */
struct signal_caller {
    const struct process *process; /* NULL: not known */
    uint64_t number;
    struct message *answer; /* NULL: it has none to come */
    uint64_t reply;         /* holds the caller */
};

/* Delivers what is pending. caller->answer is NULL afterwards if the caller needs no answer any more. */
void signals_deliver(struct signal_caller *caller);

/* True if there may be something to deliver. */
bool signals_are_due(void);

/* What is pending for a process may be deliverable now: a mask has changed. */
void signals_look_at(const struct process *process);

/* Ends the handler of a thread of a process, which waits for that. False: the process had to be ended. */
void signal_return(struct process *process, uint64_t number, uint64_t frame);

/* A thread stopped on a fault that is a signal with the information: its handler runs. False: it is not caught. */
MUST_CHECK bool signal_fault(struct process *process, uint64_t number, const struct signal_information *information);

#endif
