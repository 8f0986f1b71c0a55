/* SPDX-License-Identifier: MIT */
/* What programs say they will not use: it goes, or is the next to go. */
#include <errno.h>

#include "pager.h"

/* Gives up those of the pages that are of files, or that are not. */
static void give_up(struct pager *pager, const struct page_use *uses, uint32_t count, bool file)
{
    uint64_t pfns[LRU_BATCH];
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        if ((uses[i].kind == PAGE_IS_BACKED) == file && lru_isolate_page(&pager->lru, uses[i].pfn))
            pfns[taken++] = uses[i].pfn;
    }
    if (taken > 0)
        (void)reclaim_pages(pager, pfns, taken, file, false);
}

static void page_out(struct pager *pager, const struct page_use *uses, uint32_t count)
{
    struct memory_state memory;
    memory_look(pager, &memory);
    give_up(pager, uses, count, true);
    if (reclaim_can_swap(pager, &memory))
        give_up(pager, uses, count, false);
}

/* Puts pages where the next are taken from; that they were used is forgotten. */
static void cool(struct pager *pager, const struct page_use *uses, uint32_t count)
{
    uint64_t pfns[LRU_BATCH];
    struct page_touch touched[LRU_BATCH];
    for (uint32_t i = 0; i < count; i++) {
        pfns[i] = uses[i].pfn;
        (void)lru_rotate(&pager->lru, pfns[i]);
    }
    (void)!pager->backend.harvest(pager->backend.context, pfns, count,
                                  touched); /* otherwise they are looked at again */
}

int cold(struct pager *pager, struct demand *demand)
{
    const struct backend *backend = &pager->backend;
    while (demand->count > 0) {
        struct page_use uses[LRU_BATCH];
        uint32_t found = 0, known = 0;
        uint64_t next = 0;
        if (demand->detail == ADVICE_PAGE_OUT && !batch_is_free(pager))
            return -EAGAIN;
        const uint64_t end = demand->index + demand->count;
        if (backend->cold_pages(backend->context, demand->object, demand->index, end, uses, LRU_BATCH, &found, &next) <
            0)
            return 0; /* it has ended */
        for (uint32_t i = 0; i < found; i++) {
            reclaim_learn(pager, &uses[i]);
            if (uses[i].kind != PAGE_IS_OTHER)
                uses[known++] = uses[i];
        }
        if (known > 0)
            (demand->detail == ADVICE_PAGE_OUT ? page_out : cool)(pager, uses, known);
        demand->count = end - next;
        demand->index = next;
    }
    return 0;
}
