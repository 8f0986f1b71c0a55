/* SPDX-License-Identifier: MIT */
/*
 * What paging needs when no page is free: the pages that its requests can take at most at a time, computed from what
 * they are. So many are kept below the min watermarks, where only the pager, the servers that it needs and their tables
 * reach; what is read, of files or from slots, gets none of the last of them. Cleaning and eviction take no page: their tables are in a pool of their own (space_tables.c), and what is
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

/* Takes a page that something is read into. If programs get none it is from the reserve, and one of so many in transit, as
 * long as what else paging needs stays there; worker->reserve must be set for that. NULL: there is none. */
MUST_CHECK struct page *reservation_page_take(struct memsrv_context *worker);

/* The page is in transit no longer. Before it is given back, or used. */
void reservation_page_settle(struct page *page);

#endif
