/* SPDX-License-Identifier: MIT */
/* Caches of memsrv's records. */
#include "records.h"
#include "caches.h"

struct kmem_cache area_cache;
struct kmem_cache member_cache;
struct kmem_cache object_cache;
struct kmem_cache grant_cache;
static struct kmem_cache index_cache;

void records_init(void)
{
    cache_create(&area_cache, "area", sizeof(struct vma), _Alignof(struct vma));
    cache_create(&member_cache, "member", sizeof(struct member), _Alignof(struct member));
    cache_create(&object_cache, "object", sizeof(struct object), _Alignof(struct object));
    cache_create(&grant_cache, "grant", sizeof(struct object_grant), _Alignof(struct object_grant));
    cache_create(&index_cache, "index", sizeof(struct index_node), _Alignof(struct index_node));
}

static void *index_node_new(void *context)
{
    (void)context;
    return record_alloc(&index_cache);
}

static void index_node_free(void *context, void *node)
{
    (void)context;
    kmem_cache_free(&index_cache, worker_index(), node);
}

const struct index_source index_records = {index_node_new, index_node_free, NULL};
