/* SPDX-License-Identifier: MIT */
/*
 * Whether a page that comes back was evicted too soon. When a page goes, a shadow of it stays: how many pages had been
 * evicted or activated until then. If it is wanted again, the difference says how many pages more of memory would have
 * kept it; if the working set holds as many that could have gone instead, the page is active at once and competes with
 * them.
 *
 * Shadows are kept in a table of fixed size that forgets the oldest of those that share a place: one that is forgotten is
 * a page that returns as if it was never there.
 *
 * In every call: the lock of whoever owns the structure is held; nothing is allocated. Distances are in pages.
 */
#ifndef MM_WORKINGSET_H
#define MM_WORKINGSET_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>
#include <mm/lru.h>

/* What stays of an evicted page: 40 bits of age, 16 of vector, the working set flag, and one that is always set. */
typedef uint64_t workingset_shadow;

#define WORKINGSET_NO_SHADOW 0u

/* The shadow of a page of `vector` that is evicted now; counts the eviction. `flags` are the page's of lru.h. */
workingset_shadow workingset_evict(struct lru *lru, uint32_t vector, unsigned flags);

struct workingset_refault {
    uint64_t distance; /* pages evicted or activated in between */
    bool activate;     /* it would have stayed in a memory that the working set could share: make it active */
    bool was_workingset;
};

/*
 * Judges the refault of a page of file or anonymous memory that left `shadow`, in the vector where it was; `can_swap` as
 * in struct lru_scan. An active page counts as an activation, which lru_add() of it does not note: this call does.
 * EINVAL: not a shadow, or its vector is none.
 */
MUST_CHECK int workingset_judge(struct lru *lru, workingset_shadow shadow, bool file, bool can_swap,
                                struct workingset_refault *out);

/* --- The table of shadows ----------------------------------------------------------------------------------------- */

#define SHADOW_WAYS 4u

struct shadow_entry {
    uint64_t object; /* and `index`: which page; any numbers of the caller's */
    uint64_t index;
    workingset_shadow shadow; /* WORKINGSET_NO_SHADOW: the entry is free */
    uint64_t stored;          /* the table's clock when it was stored */
};

struct shadow_table {
    struct shadow_entry *entries;
    uint64_t sets; /* a power of two; each has SHADOW_WAYS entries */
    uint64_t clock;
    uint64_t used;
    uint64_t forgotten; /* shadows that made way for others */
};

/* Makes an empty table in `count` entries of any content, which stay the caller's; it uses a power of two of them. EINVAL:
 * fewer than SHADOW_WAYS. */
MUST_CHECK int shadow_table_init(struct shadow_table *table, struct shadow_entry *entries, uint64_t count);

/* Stores a page's shadow in place of one that it has, a free entry, or the oldest of its set. */
void shadow_table_put(struct shadow_table *table, uint64_t object, uint64_t index, workingset_shadow shadow);

/* Takes a page's shadow out; WORKINGSET_NO_SHADOW if there is none. */
workingset_shadow shadow_table_take(struct shadow_table *table, uint64_t object, uint64_t index);

/* Forgets all shadows of an object, which is no more. Looks at the whole table. */
void shadow_table_forget(struct shadow_table *table, uint64_t object);

/* 0, or EIO (negative) if a page has two shadows, is in a wrong set, or the count is wrong. */
MUST_CHECK int shadow_table_check(const struct shadow_table *table);

#endif
