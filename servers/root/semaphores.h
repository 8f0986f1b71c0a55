/* SPDX-License-Identifier: MIT */
/*
 * Named semaphores, and who has them open. A table of plain data; no system calls. A semaphore lives as long as it has
 * its name or is open somewhere. Serving thread only.
 */
#ifndef ROOT_SEMAPHORES_H
#define ROOT_SEMAPHORES_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "waits.h"

#define SEMAPHORES_MAX 64u
#define OPENINGS_MAX   512u

/* The same as in the protocol, which is not included so that this can be tested alone. */
#define SEMAPHORE_NAME_BYTES 255u
#define SEMAPHORE_VALUE_MAX  2147483647u
#define SEMAPHORE_CREATE     1u
#define SEMAPHORE_EXCLUSIVE  2u

struct semaphore {
    uint64_t handle; /* its number, never used again; 0: the entry is free */
    uint32_t value;
    uint32_t openings; /* entries of the table below */
    bool named;
    uint8_t name_bytes;
    char name[SEMAPHORE_NAME_BYTES];
};

/* One process's use of one semaphore. */
struct semaphore_opening {
    uint64_t pid; /* 0: the entry is free */
    struct semaphore *semaphore;
    uint64_t count; /* how often it was opened, and not closed */
};

/* Processes share a count of openings by their numbers, so that one without any need not look for them. */
#define OPENING_COUNTS 64u

struct semaphore_table {
    struct semaphore semaphores[SEMAPHORES_MAX];
    struct semaphore_opening openings[OPENINGS_MAX];
    uint16_t counts[OPENING_COUNTS]; /* openings of the processes with this number modulo OPENING_COUNTS */
    uint64_t last_handle;
};

/* Opens a semaphore for a process, or creates it, as `flags` say. Errors are those of the
 * protocol's semaphore_open; nothing has changed then. The name is the client's and not trusted. */
MUST_CHECK int semaphore_open(struct semaphore_table *table, uint64_t pid, uint64_t flags, uint64_t value,
                              const char *name, size_t name_bytes, uint64_t *handle);

/* Takes one opening back. EINVAL: the process has no such semaphore open. */
MUST_CHECK int semaphore_close(struct semaphore_table *table, uint64_t pid, uint64_t handle);

/* Takes the name away. ENOENT: there is none. */
MUST_CHECK int semaphore_unlink(struct semaphore_table *table, const char *name, size_t name_bytes);

/* The semaphore that a process has open by this handle; NULL: none. */
struct semaphore *semaphore_find(struct semaphore_table *table, uint64_t pid, uint64_t handle);

/* Gives a unit to the thread that has waited longest (*wait, granted, for the caller to signal), or else to the value
 * (*wait is NULL). EOVERFLOW: nothing has changed. */
MUST_CHECK int semaphore_post(struct semaphore *semaphore, struct wait_table *waits, struct wait **wait);

/* Takes a unit. EAGAIN: there is none. */
MUST_CHECK int semaphore_take(struct semaphore *semaphore);

/*
 * Forgets one wait of a process that has ended. A unit that it was given and cannot use any more goes to the next:
 * *signal is the thread to tell, or NULL. *freed, whose entry is free again, tells the caller its slot. False: the
 * process has no waits left.
 */
bool semaphore_wait_forget(struct semaphore_table *table, struct wait_table *waits, uint64_t pid, struct wait **freed,
                           struct wait **signal);

/* Closes all that a process has open. */
void semaphores_close_all(struct semaphore_table *table, uint64_t pid);

/* Opens for `child`, which has nothing open, what `parent` has open. EMFILE: the child has nothing open. */
MUST_CHECK int semaphores_inherit(struct semaphore_table *table, uint64_t parent, uint64_t child);

/* 0, or -EINVAL if counts, names or handles contradict each other. */
MUST_CHECK int semaphores_check(const struct semaphore_table *table);

#endif
