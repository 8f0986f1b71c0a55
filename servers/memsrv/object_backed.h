/* SPDX-License-Identifier: MIT */
/*
 * Backed objects: the content of their pages is elsewhere, on a disk as a rule. A page of one is
 *
 *   missing     not in the index; who wants it waits, and the pager is asked to fill it
 *   fresh       in the index and in transit (PAGE_FRESH, PAGE_TRANSIT): being filled; who wants it waits
 *   clean       what is elsewhere is the same; no translation allows writing
 *   dirty       PAGE_DIRTY, and marked in the index: shared mappings may write to it
 *   in transit  PAGE_TRANSIT, clean or dirty again: being written back
 *   busy        PAGE_BUSY: being evicted; who wants it waits
 *   orphan      PAGE_ORPHAN: in transit, not in the index any more; freed when the transit ends
 *
 * A clean page becomes dirty in object_page() with OBJECT_WRITE, before a translation that allows writing is made, with
 * the lock of the space held until the translation is there or its answer on the way. Cleaning takes the mark away first,
 * then visits all spaces: a translation made before that is found, one made later was made for a page that is dirty again.
 */
#ifndef MEMSRV_OBJECT_BACKED_H
#define MEMSRV_OBJECT_BACKED_H

#include <proto/memsrv_protocol.h>

#include "object.h"

/* fill_begin of the protocol: at most BATCH_PAGES pages; *next is the index behind the last that was looked at. */
MUST_CHECK int object_fill_begin(struct memsrv_context *worker, struct object *object, uint64_t index, uint64_t count,
                                 struct memsrv_dirty_page *pages, uint64_t *taken, uint64_t *next);

/* fill_end and clean_end for one page; false if it is in no such transit. */
bool object_fill_end(struct memsrv_context *worker, uint64_t pfn, int status);
bool object_clean_end(struct memsrv_context *worker, uint64_t pfn, int status);

/* clean_begin of the protocol. No space's lock is held. Makes system calls. */
MUST_CHECK int object_clean_begin(struct memsrv_context *worker, struct object *object, uint64_t index, uint64_t count,
                                  struct memsrv_dirty_page *pages, uint64_t *taken, uint64_t *next);

/* A page that is mapped already is going to be written to. False: it is the object's no longer. */
MUST_CHECK bool object_dirty_mapped(struct object *object, struct page *page);

/* Dirty pages of all objects: `change` more; how many there are; above how many the pager is told. */
void object_count_dirty(int64_t change);
uint64_t object_dirty_pages(void);
void object_set_dirty_limit(uint64_t pages);
uint64_t object_dirty_limit(void);
uint64_t object_filled_pages(void); /* so far */

/* For the walker: the page's flags make sense. */
MUST_CHECK bool object_page_state_ok_locked(struct object *object, const struct page *page) REQUIRES(object->lock);

#endif
