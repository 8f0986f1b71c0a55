/* SPDX-License-Identifier: MIT */
/* The rings in which the pager reads which pages were mapped: one a worker, see pager_attach of the protocol. */
#ifndef MEMSRV_PAGER_RING_H
#define MEMSRV_PAGER_RING_H

#include <mm/page.h>
#include <proto/memsrv_protocol.h>

#include "worker.h"

struct pager_ring {
    uint64_t count; /* pages noted so far */
    uint64_t reserved;
    uint32_t pfns[MEMSRV_RING_PAGES];
};
_Static_assert(sizeof(struct pager_ring) <= PAGE_SIZE, "a ring is in one page");
_Static_assert((MEMSRV_RING_PAGES & (MEMSRV_RING_PAGES - 1)) == 0, "the place is found by a mask");

/* Notes that a page was mapped for the first time. */
static inline void pager_note_mapped(struct memsrv_context *worker, const struct page *page)
{
    struct pager_ring *ring = worker->ring;
    const uint64_t count = ring->count;

    ring->pfns[count % MEMSRV_RING_PAGES] = (uint32_t)page_pfn(page);
    __atomic_store_n(&ring->count, count + 1, __ATOMIC_RELEASE);
}

#endif
