/* SPDX-License-Identifier: MIT */
/* memsrv's small records: areas of memory, members of spaces. Each kind has a cache of its own over single pages. */
#ifndef MEMSRV_RECORDS_H
#define MEMSRV_RECORDS_H

#include <mm/object_cache.h>
#include <mm/vma.h>

#include "space.h"

extern struct object_cache area_cache;   /* struct vma */
extern struct object_cache member_cache; /* struct member */

/* Before there is a second thread. */
void records_init(void);

/* Gives back records that came from the cache. */
void area_free(struct vma *area);
void member_free(struct member *member);

/* Frees the areas on a list of vma_merge(). */
void areas_free(struct list *released);

/* Pages that the caches hold; what they could do without is given back first. */
uint64_t records_pages(void);

/* 0, or EIO (negative) if a cache is damaged. */
MUST_CHECK int records_check(void);

#endif
