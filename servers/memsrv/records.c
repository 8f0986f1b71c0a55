/* SPDX-License-Identifier: MIT */
/* Caches of memsrv's records. Their pages are seen through the window, like all memory of memsrv's own. */
#include "records.h"
#include "log.h"
#include "memory.h"

struct object_cache area_cache;
struct object_cache member_cache;

static void *get_page(void *context)
{
    struct page *page = system_page_take(PAGE_CACHE);
    return page ? page_window(page) : NULL;
}

static void put_page(void *context, void *bytes)
{
    uint64_t physical = (uint64_t)bytes - WINDOW_BASE;
    system_page_give(page_of(physical >> PAGE_SHIFT));
}

void records_init(void)
{
    static const struct object_cache_source source = {get_page, put_page, NULL};

    if (object_cache_init(&area_cache, "area", sizeof(struct vma), _Alignof(struct vma), &source) ||
        object_cache_init(&member_cache, "member", sizeof(struct member), _Alignof(struct member), &source))
        fatal("the caches of records cannot be made");
}

void area_free(struct vma *area)
{
    int error = object_cache_free(&area_cache, area);
    ASSERT(error == 0);
    (void)error;
}

void member_free(struct member *member)
{
    int error = object_cache_free(&member_cache, member);
    ASSERT(error == 0);
    (void)error;
}

void areas_free(struct list *released)
{
    for (struct list *link = list_pop_front(released); link; link = list_pop_front(released))
        area_free(CONTAINER_OF(link, struct vma, link));
}

static uint64_t cache_pages(struct object_cache *cache)
{
    struct object_cache_info info;
    (void)object_cache_shrink(cache);
    object_cache_read_info(cache, &info);
    return info.pages;
}

uint64_t records_pages(void)
{
    return cache_pages(&area_cache) + cache_pages(&member_cache);
}

int records_check(void)
{
    int error = object_cache_check(&area_cache);
    return error ? error : object_cache_check(&member_cache);
}
