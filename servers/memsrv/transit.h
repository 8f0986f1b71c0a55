/* SPDX-License-Identifier: MIT */
/*
 * Pages in transit: a device may be reading or writing them on the pager's behalf. Such a page has PAGE_TRANSIT, is in this
 * table, and is freed by nobody before the pager has ended its transit, whatever becomes of what it belonged to: who
 * takes it away from there sets PAGE_ORPHAN, and transit_end() says so.
 *
 * Lock: transit_lock, taken inside; order: after an object's. While a page is in transit its object is in use
 * (object_hold_pages()).
 */
#ifndef MEMSRV_TRANSIT_H
#define MEMSRV_TRANSIT_H

#include <base/check.h>
#include <mm/page.h>
#include <proto/memsrv_protocol.h>

/* Before there is a second thread. */
void transit_init(void);

/* Puts an allocated page, which is in no transit, into the table; `about`: what the pager is told, but for the pfn.
 * EAGAIN: the table is full. Lock: the page is the caller's, or its object's lock is held. */
MUST_CHECK int transit_begin(struct page *page, const struct memsrv_transit *about);

/* The page of a number that is said to be in transit of that kind, for the caller to end that; NULL if it is not, or
 * somebody is ending it already. */
MUST_CHECK struct page *transit_claim(uint64_t pfn, uint64_t kind);

/* The same for a page in any transit, which then goes on: transit_release(). */
MUST_CHECK struct page *transit_use(uint64_t pfn);
void transit_release(struct page *page);

/* Takes a page out of the table: one that the caller has claimed or just put in. Lock: that of its object, if any. */
void transit_end(struct page *page);

/* Lists pages from place *cursor on, at most `capacity`; *cursor becomes where to go on, 0 at the end. */
uint64_t transit_list(struct memsrv_transit *pages, uint64_t capacity, uint64_t *cursor);

uint64_t transit_count(void);

/* 0, or EIO (negative). */
MUST_CHECK int transit_check(void);

#endif
