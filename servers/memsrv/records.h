/* SPDX-License-Identifier: MIT */
/* memsrv's small records: areas of memory, members of spaces. Each kind has a cache of its own. */
#ifndef MEMSRV_RECORDS_H
#define MEMSRV_RECORDS_H

#include <mm/kmem_cache.h>
#include <mm/vma.h>

#include "space.h"

extern struct kmem_cache area_cache;   /* struct vma */
extern struct kmem_cache member_cache; /* struct member */

/* Before there is a second thread. */
void records_init(void);

/* A zeroed record, the caller's. NULL: no memory. */
MUST_CHECK static inline struct vma *area_alloc(void)
{
    struct vma *area = kmem_cache_alloc(&area_cache, worker_index());
    if (__builtin_expect(area != NULL, 1))
        memset(area, 0, sizeof(*area));
    return area;
}

MUST_CHECK static inline struct member *member_alloc(void)
{
    return kmem_cache_zalloc(&member_cache, worker_index());
}

/* Gives back records that came from the cache. */
static inline void area_free(struct vma *area)
{
    kmem_cache_free(&area_cache, worker_index(), area);
}

static inline void member_free(struct member *member)
{
    kmem_cache_free(&member_cache, worker_index(), member);
}

/* Frees the areas on a list of vma_merge(). */
void areas_free(struct list *released);

#endif
