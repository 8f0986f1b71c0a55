/* SPDX-License-Identifier: MIT */
/* How processes end, and what follows from it. Serving thread only. */
#ifndef ROOT_END_H
#define ROOT_END_H

#include "process.h"

#define SIGNAL_STATUS 128 /* status of a process that a signal ended: this plus the signal's number */
#define SIGNAL_SEGV   11
#define SIGNAL_BUS    7 /* past the end of a memory object */

/*
 * Ends a running process: its space goes, its children become root's, whoever waits for it is told. The entry stays
 * until the parent has asked for the status, or is freed at once if that is root. Services are started anew.
 */
void process_end(struct process *process, int status);

/* Looks for the processes among those of `events` whose threads stopped on a fault, reports and ends them. */
void faults_handle(uint64_t events);

#endif
