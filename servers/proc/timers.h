/* SPDX-License-Identifier: MIT */
/*
 * What happens at a time. root's serving thread waits for requests; a thread of its own sleeps until the next deadline
 * and then asks root what is due (op timer). Serving thread only, but for that thread itself.
 */
#ifndef PROC_TIMERS_H
#define PROC_TIMERS_H

#include "signals.h"

struct process;

/* Starts the timer thread. Fatal on any failure. Boot only. */
void timer_start(void);

/* Sets the alarm of a process, or none (after 0): ns from now. */
void alarm_set(struct signal_process *state, uint64_t after, uint64_t interval);

/* ns until the alarm; 0: there is none. */
uint64_t alarm_rest(const struct signal_process *state);

/* The process has ended. */
void alarm_forget(struct signal_process *state);

/* Has signals_look_at() called again for processes that could not be looked at now. */
void signals_look_later(const struct process *process);
void retry_after(uint64_t ns);

#endif
