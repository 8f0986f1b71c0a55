/* SPDX-License-Identifier: MIT */
/*
 * What to read of a file before it is asked for. Who reads in order gets a window that grows with each step; the next one
 * is begun when a marked page of the last is touched, so that who reads never waits. Who jumps about gets what he asked
 * for and no more. Faults of a mapping read around the page, until that turns out to be in vain.
 *
 * Each opened file, and each object that is mapped, has a state. All numbers are pages. Pure arithmetic: in every call the
 * lock of whoever owns the state is held.
 */
#ifndef MM_READAHEAD_H
#define MM_READAHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>

#define READAHEAD_PAGES     32u  /* the largest window, unless somebody says otherwise: 128 KiB */
#define READAHEAD_PAGES_MAX 512u /* nobody may say more */
#define READAHEAD_NO_MARK   UINT64_MAX

enum readahead_advice { READAHEAD_NORMAL, READAHEAD_RANDOM, READAHEAD_SEQUENTIAL };

struct readahead_state {
    uint64_t start;    /* the window that was read last: [start, start + size) */
    uint32_t size;     /* 0: none */
    uint32_t async;    /* its last pages, whose first is marked */
    uint64_t previous; /* the page that was asked for last; UINT64_MAX: none */
    uint32_t max;      /* the largest window by the state's owner, before advice */
    uint16_t misses;   /* faults of a mapping that found nothing, less those that did */
    uint8_t advice;    /* enum readahead_advice */
};

/* What was asked for. */
struct readahead_request {
    uint64_t index;   /* the first page */
    uint32_t count;   /* pages; at least 1 */
    uint32_t history; /* pages right below `index` that are there without a gap; as many as the caller cared to count */
    uint32_t next_absent; /* `marked`: pages from `index` to the first that is not there; 0: none within the window */
    uint64_t limit;       /* pages of the file: nothing is read from there on */
    uint32_t spare; /* pages that can be had now without reclaim: no window is larger, but for what was asked for */
    bool marked;    /* the page is there, and marked; otherwise it is not there */
};

/* What to read: [start, start + count), with page `mark` marked when it is there; READAHEAD_NO_MARK: none. count 0:
 * nothing. */
struct readahead_plan {
    uint64_t start;
    uint32_t count;
    uint64_t mark;
};

/* Makes a state of nothing read yet. `max` is cut to READAHEAD_PAGES_MAX; 0: no reading ahead. */
void readahead_init(struct readahead_state *state, uint32_t max);

/* Takes advice. RANDOM ends reading ahead, SEQUENTIAL doubles the window, NORMAL takes both back. */
void readahead_advise(struct readahead_state *state, enum readahead_advice advice);

/*
 * A read() came upon a page that is not there, or one that is marked. Says what to read: what was asked for and is not
 * there is always in it, as far as it fits into one window; ask again for the rest. Nothing if `index` is not below the
 * limit, or if there is nothing to read ahead.
 */
struct readahead_plan readahead_read(struct readahead_state *state, const struct readahead_request *request);

/* The same for a fault of a mapping; `count` is 1. A miss right behind the last window goes on from there, any other reads
 * around the page; many misses that no hit follows end that, and one page is read. */
struct readahead_plan readahead_fault(struct readahead_state *state, const struct readahead_request *request);

/* A fault of a mapping found its page: reading around was not in vain. */
void readahead_hit(struct readahead_state *state);

/* The next part of a range that somebody says he will need: [*index, end) below the limit, at most a window. Moves *index
 * behind it; count 0: done. */
struct readahead_plan readahead_will_need(const struct readahead_state *state, uint64_t *index, uint64_t end,
                                          uint64_t limit);

/* --- Reading swap ahead ------------------------------------------------------------------------------------------- */

#define SWAP_READAHEAD_PAGES 8u

struct swap_readahead_state {
    uint64_t previous; /* the slot that was asked for last */
    uint32_t hits;     /* pages read ahead that were used since the last window */
    uint32_t last;     /* pages of the last window */
};

/* How many slots around `slot` to read, itself included: a power of two up to SWAP_READAHEAD_PAGES. Grows with hits, and
 * shrinks by half at most when there are none. */
uint32_t swap_readahead_window(struct swap_readahead_state *state, uint64_t slot);

#endif
