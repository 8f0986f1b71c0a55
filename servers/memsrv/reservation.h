/* SPDX-License-Identifier: MIT */
/*
 * What paging needs when no page is free: the pages that its requests can take at most at a time, computed from what
 * they are. So many are kept below the min watermarks, where only the pager, the servers that it needs and their tables
 * reach. Cleaning and eviction take no page: their tables are in a pool of their own (space_tables.c), and what is
 * in transit is noted in a table that is always there.
 */
#ifndef MEMSRV_RESERVATION_H
#define MEMSRV_RESERVATION_H

#include "worker.h"

/* Pages that paging can take at a time on a machine with `cpu_count` processors. */
uint64_t reservation_pages(uint64_t cpu_count);

/* The same in KiB, as the least that the min watermarks must be together, so that what others may take of the reserve
 * leaves that much. */
uint64_t reservation_min_free_kbytes(uint64_t cpu_count);

/* One of the pages for fills that may be taken from the reserve. False: as many are in transit; they come back with
 * reservation_put_fill(). */
MUST_CHECK bool reservation_take_fill(void);
void reservation_put_fill(void);

#endif
