/* SPDX-License-Identifier: MIT */
/*
 * Transparent huge pages: 2 MiB of anonymous memory in one block, mapped by one entry.
 *
 * The kernel counts mappings frame by frame and splits a huge entry whenever a part of it is to be something else, so a
 * block may be mapped whole here and in pages there. In the books of the buddy allocator a block stays whole, its first
 * page marked PAGE_HUGE, until a page of it comes back alone (no entry maps that page any more, so no huge entry is left
 * anywhere); from then on each of its pages lives on its own. Until then only the first page's descriptor has an owner
 * and an index, and the flags of the others are 0.
 *
 * Locks: a block is split under its zone's lock; everything else is the lock of a space that maps it.
 */
#ifndef MEMSRV_HUGE_H
#define MEMSRV_HUGE_H

#include "memory.h"
#include "space.h"

#define HUGE_PAGES (1UL << HUGE_PAGE_ORDER) /* pages in a huge page */

/* Which memory gets huge pages. */
enum huge_policy {
    HUGE_NEVER = MEMSRV_THP_NEVER,
    HUGE_ADVISED = MEMSRV_THP_MADVISE, /* where the program asked for them */
    HUGE_ALWAYS = MEMSRV_THP_ALWAYS,   /* where it did not ask for none */
};

/* Flags of areas in which a first write looks closer before it takes a page: AREA_FILLED, and where the policy may want
 * huge pages. Atomic. */
extern uint64_t closer_look_flags;

/* Sets the policy that the command line asks for: quire.thp=always, madvise (this is the default) or never. Before
 * there is a second thread. */
void huge_init(const char *arguments);

/* How the background scan is asked for by whoever has a clock, and what it has done. Atomic, each by itself. */
struct huge_scan_state {
    uint64_t sleep_ms, places;
    uint64_t scanned, full_scans;
};
extern struct huge_scan_state huge_scan_state;

/* Reads quire.thp_scan=MS[,PLACES] from the command line. Before there is a second thread. */
void huge_scan_init(const char *arguments);

/* True if the policy wants a huge page at `base`, a multiple of HUGE_PAGE_SIZE, and the area holds all of it. */
MUST_CHECK bool huge_is_wanted(const struct vma *area, uint64_t base);

/* True if a huge page at `base` would lie in the area, and it is such that it may have one, whatever the policy. */
MUST_CHECK bool huge_fits(const struct vma *area, uint64_t base);

/* What a block is taken for, for the statistics. */
enum huge_use { HUGE_FAULT, HUGE_COLLAPSE };

/*
 * Takes a block of any content for `base` of an area, its first page with owner and index, counted among the worker's
 * user pages. NULL: there is none; a fault takes a page instead. The content of the caller's IPC buffer is kept.
 */
MUST_CHECK struct page *huge_take(struct memsrv_context *worker, const struct space *space, const struct vma *area,
                                  uint64_t base, enum huge_use use);

/* Gives back a block of huge_take() that nothing maps and that is whole. */
void huge_give(struct memsrv_context *worker, struct page *block);

/* Zeroes a block. No lock is needed: nobody else sees it. */
void huge_zero(const struct page *block);

/* For a page that nothing maps any more and whose flags are not just PAGE_ALLOCATED: makes it one on its own, if it is
 * a part of a block that was whole. */
void huge_part_with(struct page *page);

/* Gives back a page of anonymous memory that nothing maps any more: its last entry was told with ENTRY_LAST. */
static inline void anonymous_page_give(struct memsrv_context *worker, struct page *page)
{
    if (__builtin_expect((__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & ~PAGE_CHARGED) != PAGE_ALLOCATED, 0))
        huge_part_with(page);
    worker->user_pages--;
    page_give(worker, page);
}

/* The descriptor that has owner and flags of a page that something maps: its own, or that of the block it is in. */
static inline const struct page *page_in_charge(const struct page *page)
{
    const struct page *first = page - page_pfn(page) % HUGE_PAGES;
    return __atomic_load_n(&first->flags, __ATOMIC_ACQUIRE) & PAGE_HUGE ? first : page;
}

/* The index of a page that something maps. */
static inline uint64_t page_index(const struct page *page)
{
    const struct page *first = page_in_charge(page);
    return first->index + (uint64_t)(page - first);
}

/* An entry as a fault or a harvest tells it, of a huge page too, as that of the page at `address`: ENTRY_HUGE stays. */
static inline uint64_t entry_at(uint64_t entry, uint64_t address)
{
    return entry & ENTRY_HUGE ? entry + (address & (HUGE_PAGE_SIZE - 1) & PAGE_MASK) : entry;
}

/* How many pages an entry that was told for `address` maps from there on, below `end`. */
static inline uint64_t entry_pages(uint64_t entry, uint64_t address, uint64_t end)
{
    uint64_t next = (address | (HUGE_PAGE_SIZE - 1)) + 1;
    if (!(entry & ENTRY_HUGE))
        return 1;
    return ((next < end ? next : end) - address) >> PAGE_SHIFT;
}

/*
 * Maps a block of zeros at `base`, where the policy wants one and nothing is mapped. True: it is there now. False: use
 * pages. Makes system calls.
 */
MUST_CHECK bool huge_populate_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                     uint64_t base) REQUIRES(space->lock);

/*
 * Makes one huge page of what is mapped at `base` of an area that huge_fits(): pages that are the space's alone are
 * copied, what is missing is zeros. 0 also if it is one already. EAGAIN: some other space has one of the pages; EINVAL:
 * something else is mapped there; ENOMEM: no block, or no tables. A failure changes nothing. Makes system calls.
 */
MUST_CHECK int huge_collapse_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t base)
    REQUIRES(space->lock);

/*
 * The same for a place that may not be worth it: 1 if there is a huge page now that was not before, 0 if there is nothing
 * to do, or some other space has one of the pages or their table, too.
 */
MUST_CHECK int huge_collapse_if_worth_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                             uint64_t base) REQUIRES(space->lock);

/*
 * When there is no memory: looks through all spaces for a huge page some pages of which are zeros, and gives these back.
 * True: there was one. No lock is held, and no answer of the worker is on its way. Makes system calls.
 */
MUST_CHECK bool huge_shrink(struct memsrv_context *worker);

/* MADV_COLLAPSE: huge_collapse_locked() for all that [start, end) holds whole. ESRCH; EINVAL: an area refuses huge pages,
 * or the range holds none whole. The first error is told, after all were tried. No lock is held. */
MUST_CHECK int huge_collapse_range(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end);

#endif
