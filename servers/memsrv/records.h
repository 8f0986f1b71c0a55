/* SPDX-License-Identifier: MIT */
/* memsrv's small records: areas of memory, members of spaces, memory objects. Each kind has a cache of its own. */
#ifndef MEMSRV_RECORDS_H
#define MEMSRV_RECORDS_H

#include <mm/index.h>
#include <mm/kmem_cache.h>
#include <mm/vma.h>

#include "fail_alloc.h"
#include "kasan.h"
#include "object.h"
#include "space.h"
#include "trace.h"

extern struct kmem_cache area_cache;   /* struct vma */
extern struct kmem_cache member_cache; /* struct member */
extern struct kmem_cache object_cache; /* struct object */
extern struct kmem_cache grant_cache;  /* struct object_grant */

/* Where the indexes of memory objects get their nodes. */
extern const struct index_source index_records;

/* Before there is a second thread. */
void records_init(void);

/* A record of any content, the caller's. NULL: no memory. */
MUST_CHECK static inline void *record_alloc(struct kmem_cache *cache)
{
    void *record = fail_alloc_now(MEMSRV_FAIL_RECORDS) ? NULL : kmem_cache_alloc(cache, worker_index());
    trace(TRACE_KMALLOC, (uint64_t)record, cache->object_size);
    kasan_allocated(cache, record);
    return record;
}

/* The same, zeroed. */
MUST_CHECK static inline void *record_zalloc(struct kmem_cache *cache)
{
    void *record = fail_alloc_now(MEMSRV_FAIL_RECORDS) ? NULL : kmem_cache_zalloc(cache, worker_index());
    trace(TRACE_KMALLOC, (uint64_t)record, cache->object_size);
    kasan_allocated(cache, record);
    return record;
}

/* A zeroed record, the caller's. NULL: no memory. */
MUST_CHECK static inline struct vma *area_alloc(void)
{
    struct vma *area = record_alloc(&area_cache);
    if (__builtin_expect(area != NULL, 1))
        memset(area, 0, sizeof(*area));
    return area;
}

MUST_CHECK static inline struct member *member_alloc(void)
{
    return record_zalloc(&member_cache);
}

MUST_CHECK static inline struct object *object_record_new(void)
{
    return record_zalloc(&object_cache);
}

MUST_CHECK static inline struct object_grant *grant_record_new(void)
{
    return record_zalloc(&grant_cache);
}

/* Gives back a record that came from the cache. */
static inline void record_free(struct kmem_cache *cache, void *record)
{
    trace(TRACE_KFREE, (uint64_t)record, cache->object_size);
    kasan_freed(cache, record);
    kmem_cache_free(cache, worker_index(), record);
}

static inline void area_free(struct vma *area)
{
    record_free(&area_cache, area);
}

static inline void member_free(struct member *member)
{
    record_free(&member_cache, member);
}

static inline void object_record_free(struct object *object)
{
    record_free(&object_cache, object);
}

static inline void grant_record_free(struct object_grant *grant)
{
    record_free(&grant_cache, grant);
}

#endif
