/* SPDX-License-Identifier: MIT */
/* What the files of swapped memory share: records of slots. See swap.h. */
#ifndef MEMSRV_SWAP_RECORD_H
#define MEMSRV_SWAP_RECORD_H

#include "memory.h"
#include "swap.h"

enum swap_state {
    SWAP_USED,      /* something refers to the slot */
    SWAP_UNSURE,    /* perhaps nothing does any more; in a list */
    SWAP_ABANDONED, /* nothing does; free as soon as its page is in no transit and nobody works with the record */
    SWAP_FREE,      /* the pager is to be told; in a list */
};

struct swap_record {
    struct list link; /* of the unsure, or of the free ones */
    uint64_t slot;
    struct swap_place place;
    struct page *page;  /* in the swap cache; NULL: not in memory */
    uint32_t pins;      /* those who work with record and page: neither goes */
    uint8_t state;      /* enum swap_state */
    uint8_t group;      /* memory group that the slot is charged to, until it is free; MEMGROUP_ROOT: none */
    uint32_t zero_from; /* of an object's page: bytes from there on are zeros when it comes back; that object's lock */
    bool dirty;         /* the slot does not hold the page's content */
};

extern struct spinlock swap_lock;

/* A record of nothing, the caller's. NULL: no memory. */
MUST_CHECK struct swap_record *swap_record_new(void);
void swap_record_free(struct swap_record *record);

/* The record of a slot, or NULL. */
struct swap_record *swap_find_locked(uint64_t slot) REQUIRES(swap_lock);

/* The record of a page that seems to be in the swap cache; NULL: it is not. */
struct swap_record *swap_find_page_locked(const struct page *page) REQUIRES(swap_lock);

/* Enters a record, whose slot and place are set, and puts a page into the swap cache for it, if there is one. ENOMEM;
 * EEXIST: the slot is used. */
MUST_CHECK int swap_enter_locked(struct swap_record *record, struct page *page) REQUIRES(swap_lock);

/* Enters a record as above, and charges its slot to the group that the page is charged to. Also EBUSY: that may have no more
 * slots. `page` is put into the swap cache only if `cache`. */
MUST_CHECK int swap_enter_charged_locked(struct swap_record *record, struct page *page, bool cache) REQUIRES(swap_lock);

/* Puts a page, which is nobody's, into the swap cache; takes one out again, which is freed unless something maps it. */
void swap_cache_locked(struct swap_record *record, struct page *page) REQUIRES(swap_lock);
void swap_uncache_locked(struct memsrv_context *worker, struct swap_record *record) REQUIRES(swap_lock);

/* The page, which nothing maps, is the caller's; the slot is free. Nobody works with the record, and no device with the
 * page. */
void swap_take_locked(struct memsrv_context *worker, struct swap_record *record) REQUIRES(swap_lock);

/* References to a page in the swap cache besides that of the cache. */
uint64_t swap_mappings(const struct page *page);

/* Nothing refers to the slot any more; perhaps nothing does. */
void swap_abandon_locked(struct memsrv_context *worker, struct swap_record *record) REQUIRES(swap_lock);
void swap_doubt_locked(struct swap_record *record) REQUIRES(swap_lock);

/* Ends a pin; what waited for that is done. */
void swap_unpin_locked(struct memsrv_context *worker, struct swap_record *record) REQUIRES(swap_lock);

/* True if a device may be using the record's page. */
static inline bool swap_in_transit(const struct swap_record *record)
{
    return record->page && (record->page->flags & PAGE_TRANSIT);
}

void swap_count_out_locked(void) REQUIRES(swap_lock);
void swap_count_in_locked(void) REQUIRES(swap_lock);

#endif
