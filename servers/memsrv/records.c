/* SPDX-License-Identifier: MIT */
/* Caches of memsrv's records. Their pages are seen through the window, like all memory of memsrv's own. */
#include "records.h"
#include "log.h"
#include "memory.h"

struct object_cache area_cache;
struct object_cache member_cache;
static struct object_cache object_record_cache, grant_cache, index_cache;

/* All of them, for what is done to each. */
static struct object_cache *const caches[] = {&area_cache, &member_cache, &object_record_cache, &grant_cache,
                                              &index_cache};
#define CACHES (sizeof(caches) / sizeof(caches[0]))

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
        object_cache_init(&member_cache, "member", sizeof(struct member), _Alignof(struct member), &source) ||
        object_cache_init(&object_record_cache, "object", sizeof(struct object), _Alignof(struct object), &source) ||
        object_cache_init(&grant_cache, "grant", sizeof(struct object_grant), _Alignof(struct object_grant),
                          &source) ||
        object_cache_init(&index_cache, "index", sizeof(struct index_node), _Alignof(struct index_node), &source))
        fatal("the caches of records cannot be made");
}

static void give(struct object_cache *cache, void *record)
{
    int error = object_cache_free(cache, record);
    ASSERT(error == 0);
    (void)error;
}

struct vma *area_new(void)
{
    return object_cache_alloc_zeroed(&area_cache);
}

void area_free(struct vma *area)
{
    give(&area_cache, area);
}

void member_free(struct member *member)
{
    give(&member_cache, member);
}

struct object *object_record_new(void)
{
    return object_cache_alloc_zeroed(&object_record_cache);
}

void object_record_free(struct object *object)
{
    give(&object_record_cache, object);
}

struct object_grant *grant_record_new(void)
{
    return object_cache_alloc_zeroed(&grant_cache);
}

void grant_record_free(struct object_grant *grant)
{
    give(&grant_cache, grant);
}

static void *index_node_new(void *context)
{
    return object_cache_alloc(&index_cache);
}

static void index_node_free(void *context, void *node)
{
    give(&index_cache, node);
}

const struct index_source index_records = {index_node_new, index_node_free, NULL};

static uint64_t cache_pages(struct object_cache *cache)
{
    struct object_cache_info info;
    (void)object_cache_shrink(cache);
    object_cache_read_info(cache, &info);
    return info.pages;
}

uint64_t records_pages(void)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < CACHES; i++)
        pages += cache_pages(caches[i]);
    return pages;
}

int records_check(void)
{
    int error = 0;
    for (size_t i = 0; i < CACHES && !error; i++)
        error = object_cache_check(caches[i]);
    return error;
}
