/* SPDX-License-Identifier: MIT */
/* What memsrv and the pager tell of themselves, for tests: figures as they are at the moment of the call. */
#ifndef TESTS_SERVER_STATE_H
#define TESTS_SERVER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <proto/memsrv_client.h>
#include <proto/pager_client.h>

/* True if every walker of memsrv finds its structures in order. */
bool memsrv_is_sound(void);

/* All figures are 0 if the server does not answer, which is told as a diagnostic. */
struct memsrv_memory memory_now(void);
struct memsrv_paging paging_now(void);
struct memsrv_thp thp_now(void);

/* The pager's figures; all are 0 while there is no pager. */
struct pager_info pager_now(void);

/* Pages that could be allocated, on the CPUs' lists as well; 0 if memsrv does not say. */
unsigned long free_pages(void);

/* Pages that are not free. */
unsigned long pages_used(void);

#endif
