/* SPDX-License-Identifier: MIT */
/*
 * Where a request for pages is served: which zone, how far into its reserves, and what is tried before it fails. The
 * buddy allocators below know nothing of watermarks; the callers above say with gfp flags what they can bear.
 *
 * The order of events, as in Linux: the zones from the highest that suits downwards, each down to its low watermark;
 * background reclaim is woken; the zones again, down to min or into the reserve that the flags open; for a caller that
 * can wait, reclaim on its time, the pages in all processors' lists, and another try, for as long as reclaim makes
 * progress; then the failure is reported.
 *
 * Locks: none in these calls but zone locks, which are taken inside; hooks are called without any.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include <mm/page_list.h>

/* Blocks up to this order are worth trying for as long as reclaim makes progress; larger ones with RETRY_MAYFAIL. */
#define COSTLY_ORDER  3u
#define RECLAIM_TRIES 16u /* at most, with progress or without */

/* What one processor, or worker thread, keeps of each zone. The movable lists come first: they are the hot ones. */
struct per_cpu_pages {
    struct page_list movable[ZONE_COUNT];
    struct page_list unmovable[ZONE_COUNT];
};

/* Makes empty lists for one of `cpu_count` processors; the zones have their memory and watermarks. */
void per_cpu_pages_init(struct per_cpu_pages *pages, struct zone zones[ZONE_COUNT], uint32_t cpu_count);

/* Gives all pages in the lists back. By the owner, or while the owner cannot run. */
void per_cpu_pages_drain(struct per_cpu_pages *pages);

/* Pages in the lists; by any thread, right at some moment. */
uint64_t per_cpu_pages_count(const struct per_cpu_pages *pages);

/* 0, or EIO (negative) if a list is damaged. By the owner. */
MUST_CHECK int per_cpu_pages_check(const struct per_cpu_pages *pages);

/* The zones with memory, the one to be tried first in front. */
struct zonelist {
    struct zone *zones[ZONE_COUNT];
    uint32_t count;
};

/* What a failed request asked for, for the report. */
struct alloc_failure {
    gfp_t gfp;
    unsigned order;
    uint64_t failures; /* of this allocator so far, this one included */
};

/* What the allocator needs of its surroundings. Each may be NULL: then there is no such thing. */
struct page_alloc_hooks {
    /* A zone is below its low watermark: background reclaim should run. */
    void (*wake_reclaim)(void *context, struct zone *zone, gfp_t gfp, unsigned order);
    /* Frees pages on the caller's time. Returns how many. */
    uint64_t (*reclaim)(void *context, gfp_t gfp, unsigned order);
    /* Gives the pages in all processors' lists back as far as that can be done now; `own` are the caller's. */
    void (*drain)(void *context, struct per_cpu_pages *own);
    /* Zeroes a block of 2^order pages. */
    void (*zero)(void *context, struct page *page, unsigned order);
    /* A request without NOWARN failed. */
    void (*warn)(void *context, const struct alloc_failure *failure);
};

/* Requests by what became of them. */
struct page_alloc_statistics {
    uint64_t requests, failures;
    uint64_t slow;     /* not served above the low watermark */
    uint64_t wakeups;  /* of background reclaim */
    uint64_t reclaims; /* rounds of reclaim on the caller's time */
    uint64_t drains;   /* of all lists */
    uint64_t fallback; /* served from a zone that is not the first that suits */
};

struct page_allocator {
    struct zonelist zonelist;
    const struct page_alloc_hooks *hooks;
    void *context;                           /* for the hooks */
    struct page_alloc_statistics statistics; /* atomic, each by itself */
};

/* Makes an allocator over those of the zones that have memory; zones, hooks and context outlive it. */
void page_allocator_init(struct page_allocator *allocator, struct zone zones[ZONE_COUNT],
                         const struct page_alloc_hooks *hooks, void *context);

/* Reads the statistics. */
void page_alloc_read_statistics(const struct page_allocator *allocator, struct page_alloc_statistics *statistics);

/* True if no zone that suits the flags has a page above its low watermark: a request that fails while that is false does not
 * fail for want of pages. May be old news. Takes the zones' locks. */
MUST_CHECK bool page_alloc_is_short(const struct page_allocator *allocator, gfp_t gfp);

/* The migrate type that the flags ask for. */
enum migrate_type gfp_migrate_type(gfp_t gfp);

/*
 * Takes a block of 2^order pages, with refcount 1, to be given back with page_free(). `own` are the lists of the
 * calling thread; NULL: it has none. NULL: no memory that the flags allow, or an order above MAX_ORDER.
 */
MUST_CHECK struct page *page_alloc(struct page_allocator *allocator, struct per_cpu_pages *own, gfp_t gfp,
                                   unsigned order);

/* Gives a block back, single pages to the list of the caller. EINVAL, EBUSY as buddy_free_locked(). */
MUST_CHECK int page_free(struct zone zones[ZONE_COUNT], struct per_cpu_pages *own, struct page *page, unsigned order);

#endif
