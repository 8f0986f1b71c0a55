/* SPDX-License-Identifier: MIT */
/*
 * The machine's pages: zones, where single pages come from and go to, and the account of all of them. memsrv sees each
 * page at WINDOW_BASE + its physical address, as long as it is not the kernel's.
 *
 * Locks: zone locks are leaves and are taken inside these calls.
 */
#ifndef MEMSRV_MEMORY_H
#define MEMSRV_MEMORY_H

#include <arch/machine.h>
#include <mm/page_alloc.h>
#include <mm/zone.h>

#include "worker.h"

/* Pages by what they are, constant after start. Their sum, and that of all pages that the zones manage, is `total`. */
struct boot_account {
    uint64_t total;    /* of the device tree's memory nodes */
    uint64_t metadata; /* page descriptors */
    uint64_t kernel, root, archive, tree, firmware;
};

extern struct mem_map memory_map;
extern struct zone zones[ZONE_COUNT];
extern struct page_allocator page_allocator;
extern struct boot_account boot_account;
extern enum zone_type preferred_zone; /* the highest that manages pages */
extern bool zeroes_blocks;            /* machine_zero_page() works here */

static inline char *window(uint64_t physical)
{
    return (char *)(WINDOW_BASE + physical);
}

static inline char *page_window(const struct page *page)
{
    return window(page_address(page));
}

static inline void page_zero(const struct page *page)
{
    if (__builtin_expect(zeroes_blocks, 1))
        machine_zero_page(page_window(page));
    else
        memset(page_window(page), 0, PAGE_SIZE);
}

/* For a worker that watches: a block was taken, or is about to be given back. */
void page_taken(struct memsrv_context *worker, struct page *page, unsigned order);
void page_given(struct memsrv_context *worker, struct page *page, unsigned order);

/* page_take() when the list is empty. */
MUST_CHECK struct page *page_take_slow(struct memsrv_context *worker);

/* Takes a page for a program, of any content. NULL: what is left is kept for memsrv and the kernel. */
MUST_CHECK static inline struct page *page_take(struct memsrv_context *worker)
{
    struct page_list *list = __atomic_load_n(&worker->user_list, __ATOMIC_RELAXED);
    if (__builtin_expect(list->count == 0, 0))
        return page_take_slow(worker);
    return page_list_alloc(list);
}

/* Takes back what a page is charged to a memory group: in memgroups.c. */
void memgroups_uncharge_page(struct memsrv_context *worker, struct page *page);

/* Gives back a page that page_take() gave and that nothing maps. */
static inline void page_give(struct memsrv_context *worker, struct page *page)
{
    if (__builtin_expect(page->flags & PAGE_CHARGED, 0))
        memgroups_uncharge_page(worker, page);
    if (__builtin_expect(worker->watch, 0))
        page_given(worker, page, 0);
    int error = page_list_free(&worker->pages.movable[page->zone], page);
    ASSERT(error == 0);
    (void)error;
}

/*
 * Takes a block of 2^order pages for whatever is not mapped by way of page_take(): for the kernel, for memsrv's own
 * records, huge pages. `mark` is set among the first page's flags (PAGE_TABLE, PAGE_OBJECT, PAGE_CACHE, or 0). NULL:
 * there is none that `gfp` allows. The content of the caller's IPC buffer is kept.
 */
MUST_CHECK struct page *pages_take(gfp_t gfp, unsigned order, uint32_t mark);

/* Gives back a block of pages_take(). */
void pages_give(struct page *page, unsigned order);

/* One page by its use: PAGE_TABLE and PAGE_OBJECT are GFP_ATOMIC, since the kernel must get its tables when programs
 * get no pages any more; everything else is GFP_KERNEL. */
MUST_CHECK struct page *system_page_take(uint32_t mark);

/* Gives back a page of system_page_take(). */
void system_page_give(struct page *page);

/* The descriptor of a page that is known to be memory that memsrv manages. */
static inline struct page *page_of(uint64_t pfn)
{
    return mem_map_page(&memory_map, pfn);
}

/* Pages in the zones, those included whose descriptors are not written yet; in the lists of all workers. */
uint64_t memory_free_pages(void);
/* True if who finds no page may find some when the pager has freed memory; otherwise that would change nothing. */
MUST_CHECK bool memory_is_short(void);

/* Pages that stay free for those who may use the reserve: the min watermarks. */
uint64_t memory_reserve_pages(void);
uint64_t memory_listed_pages(void);

/* Makes the allocator over the zones that boot_memory() has filled, on a machine with `cpu_count` processors. */
void memory_init(uint64_t cpu_count);

/* Makes the lists of a worker. Before it serves. */
void worker_lists_init(struct memsrv_context *worker);

#endif
