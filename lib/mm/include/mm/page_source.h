/* SPDX-License-Identifier: MIT */
/*
 * Where allocators of small memory get their pages from: blocks of 2^order pages with descriptors. memsrv puts its
 * zones behind this, a host test an array.
 */
#ifndef MM_PAGE_SOURCE_H
#define MM_PAGE_SOURCE_H

#include <mm/page.h>

/*
 * The calls may take the zones' locks and no other. Addresses are those at which the allocator's user sees memory:
 * a block is as aligned there as it is long, and its pages follow each other there and in the descriptors. Pages that
 * nobody may touch need no address.
 */
struct page_source {
    /* Takes a block of 2^order pages, of any content; its first descriptor is PAGE_ALLOCATED and of that order, and
     * owner, index, private_data, link of all its descriptors are the caller's. NULL: there is none. */
    struct page *(*get)(void *context, unsigned order);

    /* Takes the block back. */
    void (*put)(void *context, struct page *page, unsigned order);

    /* The descriptor of the page at an address, NULL if no page is there. Any address. */
    struct page *(*find)(void *context, const void *address);

    /* The address of a page of a block. */
    void *(*address)(void *context, const struct page *page);

    void *context;
};

#endif
