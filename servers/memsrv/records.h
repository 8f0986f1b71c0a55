/* SPDX-License-Identifier: MIT */
/* memsrv's small records: areas of memory, members of spaces. Each kind has a cache of its own over single pages. */
#ifndef MEMSRV_RECORDS_H
#define MEMSRV_RECORDS_H

#include <mm/object_cache.h>
#include <mm/index.h>
#include <mm/vma.h>

#include "object.h"
#include "space.h"

extern struct object_cache area_cache;   /* struct vma */
extern struct object_cache member_cache; /* struct member */

/* Before there is a second thread. */
void records_init(void);

/* A zeroed record, or NULL. The sources of lib/mm's index are records, too. */
MUST_CHECK struct vma *area_new(void);
MUST_CHECK struct object *object_record_new(void);
MUST_CHECK struct object_grant *grant_record_new(void);
extern const struct index_source index_records;

/* Gives back records that came from the cache. */
void area_free(struct vma *area);
void member_free(struct member *member);
void object_record_free(struct object *object);
void grant_record_free(struct object_grant *grant);

/* Pages that the caches hold; what they could do without is given back first. */
uint64_t records_pages(void);

/* 0, or EIO (negative) if a cache is damaged. */
MUST_CHECK int records_check(void);

#endif
