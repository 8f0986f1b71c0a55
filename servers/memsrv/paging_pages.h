/* SPDX-License-Identifier: MIT */
/* What the pager is told of pages, whichever it asks for. */
#ifndef MEMSRV_PAGING_PAGES_H
#define MEMSRV_PAGING_PAGES_H

#include <proto/memsrv_protocol.h>

#include "memory.h"

/* Says what a page is used for. False: it is no program's. */
MUST_CHECK bool page_describe(const struct page *page, struct memsrv_page_use *use);

/* Moves *pfn to the next page, itself included, that has a descriptor. False: there is none. */
MUST_CHECK bool page_next_described(uint64_t *pfn);

#endif
