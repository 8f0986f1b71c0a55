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

/* page_take() when the preferred zone's list is empty. */
MUST_CHECK struct page *page_take_slow(struct memsrv_context *worker);

/* Takes a page for a program, of any content. NULL: what is left is kept for memsrv and the kernel. */
MUST_CHECK static inline struct page *page_take(struct memsrv_context *worker)
{
    struct page_list *list = &worker->lists[preferred_zone];
    if (__builtin_expect(list->count == 0, 0))
        return page_take_slow(worker);
    return page_list_alloc(list);
}

/* Gives back a page that page_take() gave and that nothing maps. */
static inline void page_give(struct memsrv_context *worker, struct page *page)
{
    int error = page_list_free(&worker->lists[page->zone], page);
    ASSERT(error == 0);
    (void)error;
}

/* Takes a page for the kernel, or for memsrv's own records, of any content. `mark` says what for: PAGE_TABLE and
 * PAGE_OBJECT get the last pages of the machine, too, PAGE_CACHE only what programs would get. NULL: none is left. */
MUST_CHECK struct page *system_page_take(uint32_t mark);

/* Gives back a page of system_page_take(). */
void system_page_give(struct page *page);

/* The descriptor of a page that is known to be memory that memsrv manages. */
static inline struct page *page_of(uint64_t pfn)
{
    return mem_map_page(&memory_map, pfn);
}

/* Pages in the zones' buddy allocators; in the lists of all workers. */
uint64_t memory_free_pages(void);
uint64_t memory_listed_pages(void);

/* Makes the lists of a worker. Before it serves. */
void worker_lists_init(struct memsrv_context *worker);

#endif
