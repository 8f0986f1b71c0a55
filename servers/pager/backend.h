/* SPDX-License-Identifier: MIT */
/*
 * What the pager's decisions need of the rest of the machine: memsrv, disks, the file server, a clock. One table of
 * functions, so that the same decisions run on the host against a machine that is simulated. None of the calls waits for
 * a disk, but those that ask where pages of files are: that may have to be read. Errors are negative errno values with the meanings that the protocols give them.
 */
#ifndef PAGER_BACKEND_H
#define PAGER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <mm/oom.h>

#define BATCH_PAGES    112u /* memsrv takes and gives as many at a time */
#define TRANSFER_PAGES 64u  /* one request of a disk */
#define BLOCK_HOLE     UINT64_MAX
#define BLOCK_SERVED   (UINT64_MAX - 1) /* not whole pages on the disk: who tells where pages are reads and writes them */

/* A page that memsrv has put into transit: index of its object, or swap slot. */
struct transit_page {
    uint64_t index;
    uint64_t pfn;
};

/* Where pages of a file are: `count` of them from `block` on, in pages of the volume, or nowhere (BLOCK_HOLE). */
struct block_run {
    uint64_t block;
    uint64_t count;
};

enum evict_result {
    EVICT_IS_FREE,
    EVICT_IS_WRITTEN, /* it is in transit to its slot */
    EVICT_IS_DIRTY,
    EVICT_IS_BUSY,
    EVICT_IS_LOCKED,
    EVICT_IS_GONE,
    EVICT_NEEDS_SLOT,
    EVICT_NO_MEMORY,
};

struct evict_page {
    uint64_t pfn;
    uint64_t slot; /* 0: none */
};

/* What became of a page since it was last asked for. */
struct page_touch {
    uint64_t pfn;
    uint64_t mappings;
    uint64_t accessed;
    uint64_t dirty;
};

enum page_kind { PAGE_IS_OTHER, PAGE_IS_ANONYMOUS, PAGE_IS_MEMORY, PAGE_IS_BACKED };

struct page_use {
    uint64_t pfn;
    uint64_t kind; /* enum page_kind */
    uint64_t dirty;
    uint64_t object;
    uint64_t index;
};

struct space_use {
    uint64_t pid;
    uint64_t resident, swapped, tables; /* pages */
    int64_t adj;                        /* correction, as struct oom_task has it */
    uint32_t group;                     /* memory group */
    bool protected;                     /* never to be ended */
};

/* What the pager wants to know of a memory group. */
struct group_state {
    uint32_t parent;
    bool exists;
    uint64_t limit; /* pages */
    uint64_t memory;
};

struct memory_state {
    uint64_t free;    /* pages */
    uint64_t reserve; /* of those, pages that only who frees memory gets */
    uint64_t high;    /* that are to be free when reclaim rests */
    uint64_t dirty;
    uint64_t swap_cached; /* in the swap cache */
    uint64_t reservation;
    uint64_t running; /* 0: no program could go on */
    uint64_t waiting; /* threads that wait for memory or for the pager */
};

enum transfer_operation { TRANSFER_READ, TRANSFER_WRITE, TRANSFER_FLUSH };

struct backend {
    /* As memsrv's operations of these names; `count` of an output is how many there are. */
    int (*fill_begin)(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                      uint32_t *found);
    int (*swap_fill_begin)(void *context, uint64_t slot, uint64_t count, struct transit_page *pages, uint32_t *found);
    int (*clean_begin)(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                       uint32_t *found, uint64_t *next);
    void (*fill_end)(void *context, int status, const uint64_t *pfns, uint32_t count);
    void (*fill_zero)(void *context, const uint64_t *pfns, uint32_t count); /* pages of a hole: they hold zeros */
    void (*clean_end)(void *context, int status, const uint64_t *pfns, uint32_t count);
    void (*evict_end)(void *context, int status, const uint64_t *pfns, uint32_t count);
    void (*swap_fill_end)(void *context, int status, const uint64_t *pfns, uint32_t count);
    int (*swap_restore)(void *context, uint64_t slot);
    /* Remembers an area for the next pager; 0 slots: not any more, and its memory is the caller's of swap_on() again. */
    void (*swap_note)(void *context, uint32_t area, uint64_t slots, int32_t priority, const char *name, void *memory);
    int (*evict)(void *context, const struct evict_page *pages, uint32_t count, uint8_t *results);
    int (*harvest)(void *context, const uint64_t *pfns, uint32_t count, struct page_touch *touched);
    int (*page_uses)(void *context, uint64_t pfn, struct page_use *uses, uint32_t max, uint32_t *found, uint64_t *next);
    /* As page_uses, of pages that the process alone maps in [address, end), in pages; *next is `end` when that was all. */
    int (*cold_pages)(void *context, uint64_t pid, uint64_t address, uint64_t end, struct page_use *uses, uint32_t max,
                      uint32_t *found, uint64_t *next);
    int (*cookie)(void *context, uint64_t object, uint64_t *cookie); /* what its maker said of an object */
    int (*spaces)(void *context, uint64_t cursor, struct space_use *uses, uint32_t max, uint32_t *found,
                  uint64_t *next);
    void (*memory)(void *context, struct memory_state *state);
    /* Fills in the groups by their numbers, `max` of them. */
    void (*groups)(void *context, struct group_state *states, uint32_t max);
    /* As page_uses, of pages that are charged to the group or one in it. */
    int (*group_pages)(void *context, uint32_t group, uint64_t pfn, struct page_use *uses, uint32_t max,
                       uint32_t *found, uint64_t *next);
    void (*group_end)(void *context, uint32_t group, int status, bool killed);
    void (*dirty_limit)(void *context, uint64_t pages); /* above so many dirty pages, WANT_CLEANING is to be said */
    void (*demand_end)(void *context, uint64_t token, int status);
    void (*reclaim_end)(void *context, int status);
    /* Where pages of the file are that has the cookie; finds room for those that have none if `allocate`. Covers at least
     * the first page, at most `count`. */
    int (*map_blocks)(void *context, uint64_t cookie, uint64_t index, uint64_t count, bool allocate, uint64_t *volume,
                      struct block_run *runs, uint32_t max, uint32_t *found);
    /* Brings or writes a page in transit that is BLOCK_SERVED. */
    int (*served_read)(void *context, uint64_t cookie, uint64_t index, uint64_t pfn);
    int (*served_write)(void *context, uint64_t cookie, uint64_t index, uint64_t pfn);
    /* Begins a transfer that ends later, by pager_transferred() with its tag. EAGAIN: later. A flush has no pages. */
    int (*transfer)(void *context, uint32_t tag, enum transfer_operation operation, uint64_t volume, uint64_t block,
                    const uint64_t *pfns, uint32_t count);
    int (*kill)(void *context, const struct oom_task *task, uint32_t score); /* and reports why */
    /* An answer to somebody who asked the pager itself, and waits: `token` is what pager_sync() was given. */
    void (*answer)(void *context, uint64_t token, int status, uint64_t value);
    /* Tells those who watch for pressure that somebody may soon be ended. Returns how many there are. */
    uint32_t (*warn)(void *context);
    void (*log)(void *context, const char *line);
    uint64_t (*now_us)(void *context);
    /* Writes a trace event, of fault `id`. Called only while pager.tracing is set. */
    void (*trace)(void *context, uint32_t kind, uint64_t id, uint64_t a, uint64_t b);
    void *context;
};

#endif
