/* SPDX-License-Identifier: MIT */
/*
 * What waits for whom: requests by a key, each with the waiters that wait for the same thing. A request is *asked* when
 * it begins, *taken* when somebody sees to it, and ends when it is completed or when its last waiter has left. The table
 * allocates nothing: requests come from those that were added to it. With as many of them as there can be waiters, plus
 * what is to be had for hints, none is ever missing.
 *
 * In every call: the lock of whoever owns the table is held.
 */
#ifndef MM_WAIT_TABLE_H
#define MM_WAIT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <base/list.h>

#define WAIT_BUCKETS   256u
#define WAIT_HINTS_MAX 32u /* requests without a waiter */

struct wait_key {
    uint32_t kind; /* the owner's */
    uint64_t object, index;
};

struct wait_request {
    struct list bucket;  /* or the list of free ones */
    struct list order;   /* among the asked or the taken ones, oldest first */
    struct list waiters; /* struct waiter, link */
    struct wait_key key;
    uint64_t token;        /* never used twice */
    uint64_t first, count; /* the owner's, of who asked first; the cookie and pid, too */
    uint64_t cookie, pid;
    uint64_t access;  /* the owner's: of all who asked, or-ed */
    bool taken, hint; /* hint: nobody has ever waited for it */
};

struct waiter {
    struct list link;
    struct wait_request *request; /* NULL: it waits for nothing */
    int status;                   /* once it waits no longer: what became of the request */
};

struct wait_table {
    struct list buckets[WAIT_BUCKETS];
    struct list asked, taken; /* struct wait_request, order */
    struct list free;         /* struct wait_request, bucket */
    uint64_t free_count, requests, waiters, hints;
    uint64_t next_token;
};

/* Makes an empty table without requests. */
void wait_table_init(struct wait_table *table);

/* Adds a request, of any content, to those that are to be had; takes a free one out again, or NULL. */
void wait_table_add(struct wait_table *table, struct wait_request *request);
struct wait_request *wait_table_remove(struct wait_table *table);

/* The request of a key, or NULL. */
struct wait_request *wait_find(struct wait_table *table, struct wait_key key);

/* The request of a token, or NULL. */
struct wait_request *wait_find_token(struct wait_table *table, uint64_t token);

/*
 * The waiter, which waits for nothing, waits for the request of the key from now on; a request that is not there begins,
 * with what is the owner's in `values`. True: somebody must be told, the request is asked. There is a
 * free one: the caller has added enough.
 */
bool wait_join(struct wait_table *table, struct wait_key key, const struct wait_request *values, struct waiter *waiter);

/* Begins the request of a key for which nobody waits, if there is none and it is to be had. True: somebody must be told. */
bool wait_hint(struct wait_table *table, struct wait_key key, const struct wait_request *values);

/* The waiter waits no longer; a request that is left without one ends. */
void wait_leave(struct wait_table *table, struct waiter *waiter);

/* Ends the request: its waiters get `status` and go to the end of the list `done`. */
void wait_complete(struct wait_table *table, struct wait_request *request, int status, struct list *done);

/* wait_complete() for all requests of the kind and object with an index in [first, last]. Returns how many. */
uint64_t wait_complete_range(struct wait_table *table, uint32_t kind, uint64_t object, uint64_t first, uint64_t last,
                             int status, struct list *done);

/* The oldest request that is asked, which is taken now; NULL if there is none. */
struct wait_request *wait_take(struct wait_table *table);

/* All that were taken are asked again. */
void wait_ask_again(struct wait_table *table);

/* 0, or EIO (negative) if the table is damaged. */
MUST_CHECK int wait_table_check(const struct wait_table *table);

#endif
