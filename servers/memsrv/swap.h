/* SPDX-License-Identifier: MIT */
/*
 * Swapped memory. A page that goes to swap has a slot, and memsrv a record of the slot: whose page it is, at which index,
 * and the page itself as long as it is in memory (the swap cache). In translation tables a soft entry says which slot it
 * is; the program that touches it gets the page, which the pager brings if it is not there.
 *
 * A page in the swap cache is held (SYSTEM_FRAME_HOLD): for the kernel it is never anybody's alone. So nobody gets the
 * right to write to it, no unmapping is its last, and who writes gets a copy, unless swap_take_over_locked() finds that
 * nobody else can want what the slot has; then the page leaves the cache, and the slot is free. Therefore a page that was
 * read from its slot and not been written to needs not be written again.
 *
 * Nobody counts who refers to a slot: tables that spaces have in common, and copies of those, come and go in the kernel.
 * When an entry goes and its space is alone in its family, nothing else can refer to the slot. Otherwise the record is
 * unsure, and swap_look_through() looks for it in all spaces of the family.
 *
 * Lock: swap_lock, taken inside these calls; order: space -> object -> family -> swap -> parking, transit. Flags of pages in
 * the swap cache are changed with it held. Soft entries of a space, and translations to pages in the cache, change with
 * the space's lock held.
 */
#ifndef MEMSRV_SWAP_H
#define MEMSRV_SWAP_H

#include <proto/memsrv_protocol.h>

#include "space.h"

#define SWAP_SLOT_SHIFT PAGE_SHIFT /* of a slot in a soft entry */

static inline uint64_t swap_entry(uint64_t slot)
{
    return slot << SWAP_SLOT_SHIFT | ENTRY_SOFT;
}

static inline uint64_t swap_slot_of(uint64_t entry)
{
    return entry >> SWAP_SLOT_SHIFT;
}

/* Slots that a soft entry has room for, and 0 is none. */
static inline bool swap_slot_is_valid(uint64_t slot)
{
    return slot != 0 && slot < 1UL << (64 - SWAP_SLOT_SHIFT);
}

/* Whose a swapped page is. */
struct swap_place {
    struct family *family; /* of anonymous memory; NULL: an object's */
    uint64_t object;       /* number of the object */
    uint64_t index;
};

/* Before there is a second thread. */
void swap_init(void);

/* --- Entries come and go: the space is locked ------------------------------------------------------------------------ */

/* A soft entry of the space went; or a translation of its to a page in the swap cache. */
void swap_entry_gone(struct memsrv_context *worker, struct space *space, uint64_t entry) REQUIRES(space->lock);
void swap_page_unmapped(struct memsrv_context *worker, struct space *space, struct page *page) REQUIRES(space->lock);

/*
 * The space writes to a page in the swap cache that it maps. True: nobody else can want it; it has left the cache and is
 * the space's alone. False: the space has to write to a copy, and then maps the page no longer.
 */
MUST_CHECK bool swap_take_over_locked(struct memsrv_context *worker, struct space *space, struct page *page)
    REQUIRES(space->lock);

/*
 * Maps the page whose soft entry is at `address` of an area of anonymous memory, or of private copies, for an access that
 * the area allows: to be written to, if that is one. No answer to a fault of the space is on its way, but for the calling
 * worker's. EINPROGRESS, EAGAIN: as parking_wait(); ENOMEM. A failure changes nothing. Makes system calls.
 */
MUST_CHECK int swap_bring_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address,
                                 uint64_t entry, uint64_t access) REQUIRES(space->lock);

/* The same for all soft entries in [start, end) of an area. */
MUST_CHECK int swap_bring_range_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                       uint64_t start, uint64_t end, uint64_t access) REQUIRES(space->lock);

/* True if the space may have soft entries, and entries may change without its doing. */
static inline bool swap_concerns(const struct space *space)
{
    return __builtin_expect(__atomic_load_n(&space->family->swapped, __ATOMIC_RELAXED), 0);
}

/* Asks the pager for what is swapped of [start, end) of an area, as far as hints are to be had. Makes system calls. */
void swap_hint_range_locked(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock);

/* --- The pager's -------------------------------------------------------------------------------------------------- */

/* evict of the protocol for a page that is no object's. No lock is held. Makes system calls. */
MUST_CHECK uint8_t swap_evict(struct memsrv_context *worker, struct page *page, uint64_t slot);

/* evict_end and swap_fill_end of the protocol for one page; false if it is in no such transit. */
bool swap_evict_end(struct memsrv_context *worker, uint64_t pfn, int status);
bool swap_fill_end(struct memsrv_context *worker, uint64_t pfn, int status);

/* swap_fill_begin of the protocol. */
MUST_CHECK int swap_fill_begin(struct memsrv_context *worker, uint64_t slot, uint64_t count,
                               struct memsrv_dirty_page *pages, uint64_t *taken);

/* swap_restore of the protocol. No lock is held. Makes system calls. */
MUST_CHECK int swap_restore(struct memsrv_context *worker, uint64_t slot);

/* The same for the page at an index of an object; in object_swap.c. */
MUST_CHECK int object_swap_restore(struct memsrv_context *worker, uint64_t object, uint64_t index);

/* Looks whether anything refers to some of the slots of which that is not sure. No lock is held. Makes system calls. */
void swap_look_through(struct memsrv_context *worker);

/* Takes runs of slots that are free, as demands, at most `capacity`. Returns how many. */
uint64_t swap_take_free(struct memsrv_demand *demands, uint64_t capacity);

/* True if there is something for one of these two. */
MUST_CHECK bool swap_has_news(void);

/* A pager begins, which asks which slots are used: free ones are not told any more. */
void swap_forget_free(void);

/* Lists slots that are used, from *cursor on, at most `capacity`; *cursor becomes where to go on, 0 at the end. */
uint64_t swap_list(uint64_t *slots, uint64_t capacity, uint64_t *cursor);

struct swap_figures {
    uint64_t slots;   /* that are used, or may be */
    uint64_t cached;  /* pages in the swap cache */
    uint64_t out, in; /* pages written to slots, and read from them, so far */
};
struct swap_figures swap_read_figures(void);

/* Counts, for each number of a family, slots whose page is not in memory. */
void swap_count_families(uint32_t counts[SPACES_MAX]);

/* Counts, for each memory group, the slots that are charged to it; MEMGROUPS_MAX of them. */
void swap_count_groups(uint64_t counts[]);

/* True if a soft entry at that index of the space's family is one that may be there. */
MUST_CHECK bool swap_entry_is_right(const struct space *space, uint64_t entry, uint64_t index);

/* 0, or EIO (negative). */
MUST_CHECK int swap_check(void);

#endif
