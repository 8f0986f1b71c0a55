/* SPDX-License-Identifier: MIT */
/*
 * The frames that memsrv donates as translation tables. Spaces that were forked use tables in common, and a table ends
 * in the last space that uses it: so memsrv counts those of all spaces, and of each only what it has lately given it.
 */
#ifndef MEMSRV_SPACE_TABLES_H
#define MEMSRV_SPACE_TABLES_H

#include "space.h"

/* Fills the reserve: see space_give_reserved_table_locked(). Before there is a second thread. */
void tables_init(void);

/* Takes a page for a table; gives one back that the kernel has returned, or did not take. */
MUST_CHECK struct page *table_take(void);
void table_give(struct page *page);

/* Pages that are tables of spaces, spare ones and the reserve included. */
uint64_t table_pages(void);

/* 0, or EIO (negative) if the reserve is damaged. */
MUST_CHECK int tables_check(void);

/* Gives the kernel one more table for the space. ENOMEM, or the kernel's error. Makes system calls. */
MUST_CHECK int space_give_table_locked(struct space *space) REQUIRES(space->lock);

/* Gives the kernel `count` tables at once, at most TABLES_AT_ONCE, or as many as there is memory for. */
#define TABLES_AT_ONCE 16u
void space_give_tables_locked(struct space *space, uint64_t count) REQUIRES(space->lock);

/* The same for who frees more pages than the one of the table: it may be the last of the machine. */
MUST_CHECK int space_give_table_for_more_locked(struct space *space) REQUIRES(space->lock);

/*
 * Before something in [start, end) changes: gives the kernel as many tables as it takes to make those that are used in
 * common the space's own, at both ends of the range, or (`all`) throughout, and to split the huge pages at both ends.
 * ENOMEM. Makes system calls.
 */
MUST_CHECK int space_ready_to_change_locked(struct space *space, uint64_t start, uint64_t end, bool all)
    REQUIRES(space->lock);

/*
 * For a removal that must not fail and finds that the kernel lacks a table, to split a huge page that is to go: gives one
 * from what is kept for that, the last memory of the machine and then a reserve of one for each worker. That is enough,
 * since the table is to spare again when the pages are gone, and is given back at the end (or used for the next one).
 * Returns 0. Makes system calls.
 */
long space_give_reserved_table_locked(struct space *space) REQUIRES(space->lock);

/* Takes tables back that the kernel has to spare, all but `keep`, once all answers to faults were given. Makes system
 * calls. */
void space_trim_tables_locked(struct space *space, uint64_t keep) REQUIRES(space->lock);

/* The same if the space has got many tables for what it has. */
void space_trim_now_and_then_locked(struct space *space) REQUIRES(space->lock);

/* Tables of the space, spare ones and those in common included. Makes a system call. */
uint64_t space_count_tables_locked(struct space *space) REQUIRES(space->lock);

#endif
