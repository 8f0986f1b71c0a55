/* SPDX-License-Identifier: MIT */
/* How processes end, and what follows from it. Serving thread only. */
#ifndef ROOT_END_H
#define ROOT_END_H

#include "process.h"

/*
 * Ends a running process, by its own wish with an exit status or by a signal: its space goes, its children become root's, whoever waits for it is told. The entry stays
 * until the parent has asked for the status, or is freed at once if that is root. Services are started anew.
 */
void process_end(struct process *process, enum process_cause cause, int value);

/* A process goes on that had stopped: a thread of it may have stopped on a fault just before. */
void faults_look_at(struct process *process);

/* If devices may still be using memory of a program that has ended, or has become another: tells who drives them. */
void devices_release(struct process *process);

/* Looks for the processes among those of `events` whose threads stopped on a fault, reports and ends them. */
void faults_handle(uint64_t events);

#endif
