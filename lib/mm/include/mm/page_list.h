/* SPDX-License-Identifier: MIT */
/*
 * A small stock of order-0 pages of one zone and migrate type that one worker thread keeps for itself, so that a fault
 * takes no lock. It is refilled from, and drained to, the buddy allocator in batches. Pages in stock are PAGE_LISTED:
 * they count as neither free nor allocated in the zone.
 *
 * In every call: only the thread that owns the list, so no lock; zone->lock is taken inside when the zone is needed.
 */
#ifndef MM_PAGE_LIST_H
#define MM_PAGE_LIST_H

#include <errno.h>

#include <mm/buddy.h>

#define PAGE_LIST_CAPACITY  256u
#define PAGE_LIST_BATCH_MAX 64u

struct page_list {
    uint32_t count;
    uint32_t high;  /* pages that the list keeps at most: at least batch, at most the capacity */
    uint32_t batch; /* pages that come and go at a time */
    enum migrate_type migrate;
    struct zone *zone;
    uint64_t refills, drains;               /* batches */
    struct page *pages[PAGE_LIST_CAPACITY]; /* the last one was used last: it is likely in the cache */
};

/* Makes an empty list. `zone` must outlive it. The size is what suits one processor of one. */
void page_list_init(struct page_list *list, struct zone *zone, enum migrate_type migrate);

/*
 * Sets batch and high to what suits a machine with `cpu_count` processors, as Linux does: a batch is a 4096th of the
 * zone and a power of two, high a processor's share of the zone's low watermark and at least four batches. The zone
 * has its memory and its watermarks. For an empty list.
 */
void page_list_set_size(struct page_list *list, uint32_t cpu_count) EXCLUDES(list->zone->lock);

/* Takes up to a batch of pages out of the zone into an empty list, then one out of the list; NULL if the zone has
 * none. For page_list_alloc() alone. */
MUST_CHECK struct page *page_list_alloc_refill(struct page_list *list) EXCLUDES(list->zone->lock);

/* Gives the batch of pages that were used longest ago back to the zone. */
void page_list_drain_batch(struct page_list *list) EXCLUDES(list->zone->lock);

/* Gives all pages back to the zone. */
void page_list_drain(struct page_list *list) EXCLUDES(list->zone->lock);

/* 0, or EIO (negative) if a page of the list is not PAGE_LISTED, of order 0 and of the list's zone. */
MUST_CHECK int page_list_check(const struct page_list *list);

/* Takes one page: refcount 1, mapcount 0, flags PAGE_ALLOCATED, order 0. Content not touched. NULL: no memory. */
MUST_CHECK static inline struct page *page_list_alloc(struct page_list *list)
{
    if (__builtin_expect(list->count == 0, 0))
        return page_list_alloc_refill(list);
    struct page *page = list->pages[--list->count];
    ASSERT(page->flags == PAGE_LISTED);
    page->flags = PAGE_ALLOCATED;
    page_set_refcount(page, 1);
    return page;
}

/*
 * Puts one page of order 0 back; the caller was its only holder. EINVAL: not an allocated page of order 0 of this
 * zone (a double free is this); EBUSY: somebody else holds it or a translation points to it. A failure changes nothing.
 */
MUST_CHECK static inline int page_list_free(struct page_list *list, struct page *page)
{
    if (__builtin_expect((page->flags & PAGE_STATE) != PAGE_ALLOCATED || page->order != 0, 0) ||
        page->zone != (uint8_t)list->zone->type)
        return -EINVAL;
    if (__builtin_expect(page_refcount(page) > 1 || page_mapcount(page), 0))
        return -EBUSY;
    if (__builtin_expect(list->count >= list->high, 0))
        page_list_drain_batch(list);
    page->flags = PAGE_LISTED;
    page_set_refcount(page, 0);
    list->pages[list->count++] = page;
    return 0;
}

#endif
