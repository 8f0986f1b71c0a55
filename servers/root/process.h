/* SPDX-License-Identifier: MIT */
/*
 * The process table: who runs, who ended and was not asked about yet. Plain data without system calls; spawn.c starts
 * processes and end.c ends them. Only root's serving thread touches it, so it has no lock.
 */
#ifndef ROOT_PROCESS_H
#define ROOT_PROCESS_H

#include "slots.h"

#include <base/check.h>
#include <proto/ipc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_NAME_MAX 32u

enum process_state {
    PROCESS_FREE = 0,
    PROCESS_RUNNING = 1,
    PROCESS_ENDED = 2, /* the address space is gone, the parent has not asked for the status */
};

struct process {
    enum process_state state;
    uint64_t pid, parent;
    uint64_t started; /* ns since the counter began */
    int status;       /* ended: 0..255 */
    bool operator;    /* may end any program and power the machine off: the shell, and the program of quire.run */
    char name[PROCESS_NAME_MAX];
};

/* Takes a free entry for a process with a new number, running, with the name cut to fit. NULL: the table is full. Root
 * and memsrv have entries from the start. */
MUST_CHECK struct process *process_new(const char *name, uint64_t parent);

/* Makes an entry free again. */
void process_free(struct process *process);

/* The entry, running or ended, of a number; NULL if there is none. */
struct process *process_find(uint64_t pid);

/* The entry with the lowest number that is at least `pid`; NULL if there is none. Walks the table in order of numbers,
 * also while entries come and go. */
struct process *process_from(uint64_t pid);

/* True if `ancestor` started `process`, or started who started it, and so on. */
bool process_descends(const struct process *process, uint64_t ancestor);

/* Slots of root's table that belong to the entry. */
uint64_t process_thread_slot(const struct process *process);
uint64_t process_table_slot(const struct process *process);

#endif
