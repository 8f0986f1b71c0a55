/* SPDX-License-Identifier: MIT */
/*
 * Poison: with quire.page_poison on the command line each page that is given back is filled with a byte, and must be so
 * still when it is taken again. What is found is logged and counted; the page is used all the same.
 */
#ifndef MEMSRV_PAGE_DEBUG_H
#define MEMSRV_PAGE_DEBUG_H

#include "memory.h"

#define PAGE_POISON_BYTE 0xaa

extern bool page_poison_on; /* constant after page_debug_init() */

/* Reads what the command line says. Before there is a second thread. */
void page_debug_init(const char *arguments);

/* Pages found that were written to while they were free. */
uint64_t page_debug_reports(void);

#endif
