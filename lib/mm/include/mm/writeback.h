/* SPDX-License-Identifier: MIT */
/*
 * When which dirty pages are written: how many there may be, how old they may get, and in which pieces they go out.
 *
 * In every call: the lock of whoever owns the structure is held; nothing is allocated. Times are milliseconds of one
 * clock; counts are pages unless they say otherwise.
 */
#ifndef MM_WRITEBACK_H
#define MM_WRITEBACK_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>

/* --- How many ----------------------------------------------------------------------------------------------------- */

#define WRITEBACK_BACKGROUND_RATIO 10u
#define WRITEBACK_RATIO            20u
#define WRITEBACK_EXPIRE_MS        30000u
#define WRITEBACK_INTERVAL_MS      5000u
#define WRITEBACK_PAUSE_MAX_MS     200u

struct writeback_policy {
    uint32_t background_ratio; /* percent of the memory that could be dirty: from there on it is written */
    uint32_t ratio;            /* from there on, who makes pages dirty waits */
    uint64_t background_pages; /* instead of the ratio, if not 0 */
    uint64_t pages;
    uint64_t expire_ms;   /* a page is not dirty for longer, give or take an interval */
    uint64_t interval_ms; /* between looks for what is that old */
};

/* The usual policy. */
void writeback_policy_init(struct writeback_policy *policy);

struct writeback_limits {
    uint64_t background;
    uint64_t hard; /* above background */
};

/* What the policy says when `dirtyable` pages are free or have what files have. */
struct writeback_limits writeback_limits(const struct writeback_policy *policy, uint64_t dirtyable);

/* How long somebody who makes pages dirty is to wait before he goes on, in ms, with `dirty` pages dirty or being written:
 * 0 up to the middle of the limits, more and more from there, WRITEBACK_PAUSE_MAX_MS from the hard limit on. */
uint32_t writeback_pause(const struct writeback_limits *limits, uint64_t dirty);

/* --- Which objects ------------------------------------------------------------------------------------------------ */

#define WRITEBACK_NONE UINT32_MAX

struct writeback_entry {
    uint64_t object;         /* any number of the caller's */
    uint64_t dirty;          /* pages of it; 0: the entry is free */
    uint64_t since;          /* when the first of them became dirty */
    uint32_t next, previous; /* by `since`, or the next free entry */
    uint32_t chain;          /* the next of its bucket */
};

/* The objects that have dirty pages, by the age of their oldest. */
struct writeback_set {
    struct writeback_entry *entries;
    uint32_t *buckets; /* as many as entries */
    uint32_t count;
    uint32_t first, last; /* the oldest and the youngest */
    uint32_t free;
    uint32_t used;
    uint64_t dirty; /* pages of all */
};

/* Makes an empty set in `count` entries and as many buckets, of any content, which stay the caller's. EINVAL: none. */
MUST_CHECK int writeback_set_init(struct writeback_set *set, struct writeback_entry *entries, uint32_t *buckets,
                                  uint32_t count);

/* `pages` more of an object are dirty. ENOSPC: there is no room for another object, so its pages are to be written
 * before any more; EINVAL: no pages. */
MUST_CHECK int writeback_dirtied(struct writeback_set *set, uint64_t object, uint64_t pages, uint64_t now);

/* `pages` of an object are not dirty any more, all if there are fewer. If some are left, `now` counts as the time since
 * which they are dirty: they became so while the others were written, or must wait their turn. */
void writeback_cleaned(struct writeback_set *set, uint64_t object, uint64_t pages, uint64_t now);

/* The object's dirty pages. */
uint64_t writeback_dirty(const struct writeback_set *set, uint64_t object);

/* The object whose oldest page has been dirty for longest, if that is at least `age`: the next to be written. False:
 * there is none. */
bool writeback_next(const struct writeback_set *set, uint64_t now, uint64_t age, uint64_t *object);

/* 0, or EIO (negative) if order, chains or sums are wrong. */
MUST_CHECK int writeback_check(const struct writeback_set *set);

/* --- In which pieces ---------------------------------------------------------------------------------------------- */

struct writeback_page {
    uint64_t block; /* where it goes, in pages of the device */
    uint64_t pfn;
    uint64_t index; /* of its object */
};

/* Pages[first .. first + count) lie one after the other on the device. */
struct writeback_run {
    uint32_t first;
    uint32_t count;
};

/* Puts pages into the order of their blocks. Pages of the same block keep no order. */
void writeback_sort(struct writeback_page *pages, uint32_t count);

/* Cuts sorted pages into runs of at most `longest` pages whose blocks are adjacent; writes as many as fit and returns how
 * many. What is behind the last of them is left for another call. */
uint32_t writeback_runs(const struct writeback_page *pages, uint32_t count, uint32_t longest,
                        struct writeback_run *runs, uint32_t max);

#endif
