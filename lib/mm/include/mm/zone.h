/* SPDX-License-Identifier: MIT */
/*
 * A zone: a range of page frames with its own free lists, watermarks and statistics. Which ranges the zones have is
 * the platform's and memsrv's choice; a zone without pages is allowed (start_pfn == end_pfn).
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include <base/lock.h>
#include <mm/gfp.h>
#include <mm/page.h>

enum watermark {
    WATERMARK_MIN = 0,  /* below: only who must make progress may allocate */
    WATERMARK_LOW = 1,  /* below: background reclaim is woken */
    WATERMARK_HIGH = 2, /* at or above: background reclaim rests */
    WATERMARK_COUNT
};

/* The free blocks of one order, by migrate type. */
struct free_area {
    struct list blocks[MIGRATE_COUNT];
    uint64_t count[MIGRATE_COUNT]; /* blocks, not pages */
};

/* Free memory whose descriptors are not written yet: pages [start_pfn, end_pfn). */
struct deferred_range {
    uint64_t start_pfn, end_pfn;
};
#define DEFERRED_RANGES_MAX 128u

struct zone_statistics {
    uint64_t allocations, frees; /* blocks */
    uint64_t splits, merges;
    uint64_t fallbacks; /* allocations served from another migrate type's list */
    uint64_t steals;    /* of those: whole pageblocks that changed their type */
};

struct zone {
    struct spinlock lock; /* a leaf: nothing else is acquired while it is held */
    struct free_area free_areas[ORDER_COUNT] GUARDED_BY(lock);
    uint32_t nonempty_orders[MIGRATE_COUNT] GUARDED_BY(lock); /* bit n: blocks of order n are on that list */
    uint64_t free_pages GUARDED_BY(lock);                     /* on the free lists; page lists not counted */
    struct zone_statistics statistics GUARDED_BY(lock);
    uint64_t managed_pages GUARDED_BY(lock); /* ever given to the buddy allocator, deferred or not */

    uint64_t deferred_pages GUARDED_BY(lock); /* free, too, but on no list; see buddy_defer_range_locked() */
    uint32_t deferred_count GUARDED_BY(lock)
    , deferred_next GUARDED_BY(lock);
    struct deferred_range
        deferred[DEFERRED_RANGES_MAX] GUARDED_BY(lock); /* by address; those before next are used up */

    /* Fixed by zone_init(). */
    struct mem_map *map;
    enum zone_type type;
    const char *name; /* "DMA", "DMA32", "Normal" */
    uint64_t start_pfn, end_pfn;

    /* Set before a second thread allocates. */
    uint64_t present_pages;               /* memory that exists in the range, reserved or not: the caller's figure */
    uint64_t watermarks[WATERMARK_COUNT]; /* pages */
    uint64_t lowmem_reserve[ZONE_COUNT];  /* pages kept from requests that a zone of that type could serve */
};

/* Both ends of a zone are multiples of this, so that no block and no pageblock lies in two zones. Round outwards: pages
 * without memory, or without a descriptor, are simply never given to the zone. */
#define ZONE_ALIGNMENT_PAGES (1UL << MAX_ORDER)

/* Makes a zone of [start_pfn, end_pfn) that manages no page yet. `map` must outlive it. EINVAL: bad type, or a range
 * that is reversed, misaligned, or beyond the map. Runs before a second thread sees the zone. */
MUST_CHECK int zone_init(struct zone *zone, enum zone_type type, struct mem_map *map, uint64_t start_pfn,
                         uint64_t end_pfn);

/* Linux's figures for what is kept free. */
#define MIN_FREE_KBYTES_LEAST  128u
#define MIN_FREE_KBYTES_MOST   262144u
#define WATERMARK_SCALE_FACTOR 10u /* 10000ths of a zone between two watermarks, at the least */

/* What a machine with `lowmem_kbytes` KiB of memory keeps free: 4 * sqrt(lowmem_kbytes), within the limits above. */
uint64_t min_free_kbytes_for(uint64_t lowmem_kbytes);

/*
 * Sets the watermarks of all zones: each keeps its share, by managed pages, of `min_free_kbytes` KiB as its min; low
 * and high are above it by a quarter of min or by scale_factor/10000 of the zone, whichever is more. Takes and leaves
 * each zone's lock; may be called at any time.
 */
void zones_set_watermarks(struct zone zones[ZONE_COUNT], uint64_t min_free_kbytes, uint64_t scale_factor);

/*
 * Sets lowmem_reserve of all zones: what zone `i` keeps from requests that zone `j` above it could serve is the managed
 * pages of the zones i+1 .. j divided by the ratio of zone i. Runs before a second thread allocates.
 */
void zones_set_lowmem_reserve(struct zone zones[ZONE_COUNT]);

/* How far below a watermark a request may go; see page_alloc.h. */
#define ALLOC_NO_WATERMARKS 0x1u /* all the way */
#define ALLOC_MIN_RESERVE   0x2u /* to half of it */
#define ALLOC_NON_BLOCK     0x4u /* with ALLOC_MIN_RESERVE: another quarter of that half */

/*
 * True if a block of `order` can be taken for a request whose highest zone is `highest` so that at least the pages of
 * `mark`, or what `alloc_flags` make of it, plus what is reserved against that zone stay free. Deferred pages are free.
 */
bool zone_watermark_ok_locked(const struct zone *zone, unsigned order, enum watermark mark, enum zone_type highest,
                              unsigned alloc_flags) REQUIRES(zone->lock);

/* A consistent copy of the zone's figures, for `mem` and `buddyinfo`. */
struct zone_info {
    enum zone_type type;
    uint64_t start_pfn, end_pfn;
    uint64_t present_pages, managed_pages, free_pages, deferred_pages;
    uint64_t watermarks[WATERMARK_COUNT];
    uint64_t lowmem_reserve[ZONE_COUNT];
    uint64_t free_blocks[ORDER_COUNT][MIGRATE_COUNT];
    struct zone_statistics statistics;
};

/* Fills *info. Takes zone->lock. */
void zone_read_info(struct zone *zone, struct zone_info *info) EXCLUDES(zone->lock);

/* Counts the pageblocks that hold pages of the zone, by type; those of deferred pages are movable. Takes zone->lock
 * again and again, for a bounded time each. */
void zone_count_pageblocks(struct zone *zone, uint64_t counts[MIGRATE_COUNT]) EXCLUDES(zone->lock);

#endif
