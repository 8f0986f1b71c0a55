/* SPDX-License-Identifier: MIT */
/*
 * Threads of programs that wait for something that root keeps: a futex or a semaphore. A table of plain data; no system
 * calls. What a thread waits for is a key: threads with the same one are taken in the order in which they came.
 *
 * Every call walks the table up to the last entry in use; the first free one is used next, so that is not far. Serving thread only.
 */
#ifndef ROOT_WAITS_H
#define ROOT_WAITS_H

#include <base/check.h>
#include <stdbool.h>
#include <stdint.h>

#define WAITS_MAX             256u
#define WAITS_PER_PROCESS_MAX 128u

/* Keys of semaphores have this bit and their number; those of futexes are physical addresses. */
#define WAIT_KEY_SEMAPHORE (1UL << 63)

struct wait {
    uint64_t pid;    /* 0: the entry is free */
    uint64_t thread; /* the process's own number of the thread */
    uint64_t key;
    uint64_t order; /* of arrival */
    uint64_t slot;  /* the entry's own, for the notification to signal; the caller's business */
    bool granted;   /* taken by wait_grant(); stays until wait_remove() */
};

/* Processes share a count of entries by their numbers, so that one without any need not look for them. */
#define WAIT_COUNTS 64u

struct wait_table {
    struct wait entries[WAITS_MAX];
    uint16_t counts[WAIT_COUNTS]; /* entries of the processes with this number modulo WAIT_COUNTS */
    uint64_t arrivals;
    unsigned end; /* behind the last entry in use */
};

/* Enters a thread. EBUSY: it waits already; EDQUOT: WAITS_PER_PROCESS_MAX of its process do; ENOSPC: WAITS_MAX do.
 * Nothing has changed then. */
MUST_CHECK int wait_add(struct wait_table *table, uint64_t pid, uint64_t thread, uint64_t key, struct wait **wait);

/* Marks the thread that has waited longest for a key and was not taken yet, and returns it; NULL: there is none. */
struct wait *wait_grant(struct wait_table *table, uint64_t key);

/* The entry of a thread, granted or not; NULL: it does not wait. */
struct wait *wait_find(struct wait_table *table, uint64_t pid, uint64_t thread);

/* Any entry of a process; NULL: there is none. */
struct wait *wait_of_process(struct wait_table *table, uint64_t pid);

/* Frees an entry; its slot stays the entry's. */
void wait_remove(struct wait_table *table, struct wait *wait);

/* 0, or -EINVAL if a thread has two entries, an order is not one that was given, or a count or the end is wrong. */
MUST_CHECK int waits_check(const struct wait_table *table);

#endif
