/* SPDX-License-Identifier: MIT */
/*
 * The order in which pages are given up: for anonymous and for file pages an active and an inactive list, and one for
 * pages that cannot be evicted. A page enters an inactive list at its head, drifts to its tail, and there gets a second
 * chance if it was accessed. All links are page frame numbers in an array beside the page descriptors, so that the lists
 * hold no pointer and need no memory but that array.
 *
 * There are as many sets of lists (vectors) as there are memory groups. Counts and sizes are in pages.
 *
 * In every call: the lock of whoever owns the lists is held; nothing is allocated; a failure changes nothing.
 */
#ifndef MM_LRU_H
#define MM_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

enum lru_list {
    LRU_INACTIVE_ANON = 0,
    LRU_ACTIVE_ANON = 1,
    LRU_INACTIVE_FILE = 2,
    LRU_ACTIVE_FILE = 3,
    LRU_UNEVICTABLE = 4,
    LRU_LISTS,                  /* as many lists as a vector has */
    LRU_ISOLATED = LRU_LISTS,   /* taken off its list by lru_isolate(), to be put back or removed */
    LRU_ABSENT = LRU_LISTS + 1, /* not known */
};

#define LRU_FILE       0x01u /* backed by a file; without it anonymous */
#define LRU_ACTIVE     0x02u /* on an active list, or was when it was isolated */
#define LRU_REFERENCED 0x04u /* accessed once since it was last looked at */
#define LRU_WORKINGSET 0x08u /* was active before it was deactivated or evicted: its refault costs */
#define LRU_EXECUTABLE 0x10u /* maps program text: kept active when accessed */
#define LRU_RECLAIM    0x20u /* is being written to be evicted: goes to the tail when that has ended */
#define LRU_ADD_FLAGS  (LRU_FILE | LRU_ACTIVE | LRU_REFERENCED | LRU_WORKINGSET | LRU_EXECUTABLE)

#define LRU_NONE UINT32_MAX /* no page: the end of a list */

struct lru_page {
    uint32_t next;     /* towards the tail, as an index of the array */
    uint32_t previous; /* towards the head */
    uint16_t vector;
    uint8_t list;  /* enum lru_list */
    uint8_t flags; /* LRU_* */
};
_Static_assert(sizeof(struct lru_page) == 12, "0.3 % of memory");

struct lru_head {
    uint32_t head, tail;
    uint64_t count;
};

/* The lists of one memory group. */
struct lru_vector {
    struct lru_head lists[LRU_LISTS];
    uint64_t cost[2];         /* what reclaim of anonymous [0] and file [1] pages cost lately */
    uint64_t nonresident_age; /* evictions and activations so far: see workingset.h */
};

struct lru {
    struct lru_page *pages;
    uint64_t first; /* pfn of pages[0] */
    uint64_t count;
    struct lru_vector *vectors;
    uint32_t vector_count;
    uint64_t isolated; /* pages that are LRU_ISOLATED */
};

/*
 * Makes empty lists. `pages` has `count` elements of any content, for the page frames from `first` on; `vectors` has
 * `vector_count`. Both stay the caller's and outlive the lists. EINVAL: no page, more than 2^32 - 1, no vector, or more
 * than 2^16.
 */
MUST_CHECK int lru_init(struct lru *lru, struct lru_page *pages, uint64_t first, uint64_t count,
                        struct lru_vector *vectors, uint32_t vector_count);

/* Where the page is; LRU_ABSENT for any pfn that the lists do not know. */
enum lru_list lru_where(const struct lru *lru, uint64_t pfn);

/* The page's flags; 0 if it is absent. */
unsigned lru_flags(const struct lru *lru, uint64_t pfn);

/* Pages on a list. */
static inline uint64_t lru_size(const struct lru_vector *vector, enum lru_list list)
{
    return vector->lists[list].count;
}

/* Adds a page, with LRU_ADD_FLAGS, at the head of the list that they name, or of the unevictable one. EINVAL: pfn, vector
 * or flags; EEXIST: it is there. */
MUST_CHECK int lru_add(struct lru *lru, uint64_t pfn, uint32_t vector, unsigned flags, bool evictable);

/* Forgets a page, wherever it is; false if it was absent. */
bool lru_remove(struct lru *lru, uint64_t pfn);

/* The page was accessed by a read or a write, not through a translation. The first access marks it, the second makes an
 * inactive page active. True if that made it active. */
bool lru_mark_accessed(struct lru *lru, uint64_t pfn);

/* Locks a page in memory, or lets it go: onto the unevictable list and back to an inactive one. Isolated or absent
 * pages stay as they are; the result says whether the page moved. */
bool lru_set_evictable(struct lru *lru, uint64_t pfn, bool evictable);

/* The page is not needed any more: to the tail of its inactive list, unreferenced, to be the next that is reclaimed. For
 * who advises so, and when a write that was for eviction has ended. False: absent, isolated or unevictable. */
bool lru_rotate(struct lru *lru, uint64_t pfn);

/* Moves a page to another vector, onto the same list's head: its group has changed. EINVAL: no such vector; ENOENT:
 * absent; EBUSY: isolated. */
MUST_CHECK int lru_move(struct lru *lru, uint64_t pfn, uint32_t vector);

/*
 * Takes at most `max` pages off the tail of a list and writes their numbers to `pfns`, the coldest first. The caller
 * gives each back with lru_put_back() or lru_remove(). Returns how many.
 */
uint32_t lru_isolate(struct lru *lru, uint32_t vector, enum lru_list list, uint64_t *pfns, uint32_t max);

/* Takes one page off whatever list it is on. False: absent or isolated. */
bool lru_isolate_page(struct lru *lru, uint64_t pfn);

enum lru_verdict {
    LRU_EVICT,    /* it was not accessed: give it up */
    LRU_KEEP,     /* second chance: back to the inactive list's head */
    LRU_ACTIVATE, /* to the active list */
};

/*
 * What becomes of an isolated page of an inactive list, when `accessed` translations to it had been used. An
 * anonymous page and one that is used in several places or again become active; a file page that was accessed once is
 * kept once; program text becomes active at once. Notes what was seen in the page's flags.
 */
enum lru_verdict lru_judge_inactive(struct lru *lru, uint64_t pfn, unsigned accessed);

/* The same for an active list: LRU_ACTIVATE: it stays active; LRU_KEEP: it becomes inactive. Only program text stays. */
enum lru_verdict lru_judge_active(const struct lru *lru, uint64_t pfn, unsigned accessed);

/* Puts an isolated page back: at the head of its active list (LRU_ACTIVATE) or inactive list (LRU_KEEP), or at the tail of
 * the inactive one (LRU_EVICT: it could not be given up yet, but is the next). A page that was active and is put on an
 * inactive list counts as working set. */
void lru_put_back(struct lru *lru, uint64_t pfn, enum lru_verdict verdict);

/* The same onto the unevictable list. */
void lru_put_back_unevictable(struct lru *lru, uint64_t pfn);

/* Marks or unmarks a page as being written for eviction. False: absent. */
bool lru_set_reclaim(struct lru *lru, uint64_t pfn, bool on);

/*
 * True if the inactive list is too short beside the active one to see which pages are used: then pages are to be
 * deactivated. The inactive list is to be as long as the active one up to 1 GiB of pages of the kind; of 10 GiB it need
 * be a tenth.
 */
bool lru_inactive_is_low(const struct lru_vector *vector, bool file);

#define LRU_PRIORITY_DEFAULT   12u /* a 4096th of a list is looked at; 0: all of it */
#define LRU_SWAPPINESS_DEFAULT 60u
#define LRU_SWAPPINESS_MAX     200u
#define LRU_BATCH              32u /* pages that are looked at together */

struct lru_scan {
    unsigned priority;   /* LRU_PRIORITY_DEFAULT and below: the more urgent, the lower */
    unsigned swappiness; /* 0: anonymous pages only when nothing else is left; 100: both alike; 200: anonymous first */
    bool can_swap;       /* anonymous pages can go somewhere */
    bool file_is_tiny;   /* what files have could not give enough even if all of it went */
    bool group;          /* on behalf of a memory group that reached its limit */
};

/*
 * How many pages of each of the first four lists a round of reclaim looks at. A round looks at a 2^-priority part of
 * each; anonymous and file pages share it by swappiness and the inverse of what each cost lately. Without swap, or while
 * the inactive file list is long enough, it is files alone; with a tiny file cache anonymous pages alone; with priority 0
 * all of both.
 */
void lru_scan_counts(const struct lru_vector *vector, const struct lru_scan *scan, uint64_t counts[4]);

/* Reclaim of pages of a kind had this cost: `written` pages went out, or came back too soon; `rotated` were looked at in
 * vain. Old costs fade. */
void lru_note_cost(struct lru_vector *vector, bool file, uint64_t written, uint64_t rotated);

/* Walks all pages. 0, or EIO (negative) if links, counts, lists or flags are wrong. */
MUST_CHECK int lru_check(const struct lru *lru);

#endif
