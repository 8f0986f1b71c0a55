/* SPDX-License-Identifier: MIT */
/* Caches of memsrv's records. */
#include "records.h"
#include "caches.h"

struct kmem_cache area_cache;
struct kmem_cache member_cache;

void records_init(void)
{
    cache_create(&area_cache, "area", sizeof(struct vma), _Alignof(struct vma));
    cache_create(&member_cache, "member", sizeof(struct member), _Alignof(struct member));
}

void areas_free(struct list *released)
{
    for (struct list *link = list_pop_front(released); link; link = list_pop_front(released))
        area_free(CONTAINER_OF(link, struct vma, link));
}
