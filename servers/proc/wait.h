/* SPDX-License-Identifier: MIT */
/* Which news of a child answer which wait. Pure. */
#ifndef PROC_WAIT_H
#define PROC_WAIT_H

#include "process.h"

/* Options, which are the protocol's ROOT_WAIT_*. */
enum wait_option {
    WAIT_POLL = 1,
    WAIT_STOPPED = 2,
    WAIT_CONTINUED = 8,
    WAIT_KEEP = 16,
    WAIT_NO_ENDS = 32,
    WAIT_OPTIONS = WAIT_POLL | WAIT_STOPPED | WAIT_CONTINUED | WAIT_KEEP | WAIT_NO_ENDS,
};

/* A wait of a process: for whom, and for what. */
struct wait_request {
    uint64_t caller;
    int64_t target;   /* above 0: a child; -1: any; below: the group of that number */
    uint64_t options; /* enum wait_option */
};

/* True if the wait is about that child, whatever it does. */
bool wait_concerns(const struct wait_request *wait, const struct process *child);

/* True if the child's news answer the wait, which is about it. */
bool wait_is_answered(const struct wait_request *wait, const struct process *child);

/* The child that a wait is about: one with news that answer it if there is any, else any other, else NULL. */
struct process *wait_find_child(const struct wait_request *wait);

/* True if a child is left that the wait is about. */
bool wait_has_child(const struct wait_request *wait);

/* Takes news that were told: an ended process is forgotten. */
void wait_take_news(const struct wait_request *wait, struct process *child);

#endif
