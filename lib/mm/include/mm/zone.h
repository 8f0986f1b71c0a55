/* SPDX-License-Identifier: MIT */
/*
 * A zone: a range of page frames with its own free lists, watermarks and statistics. Which ranges the zones have is
 * the platform's and memsrv's choice; a zone without pages is allowed (start_pfn == end_pfn).
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include <base/lock.h>
#include <mm/page.h>

enum zone_type {
    ZONE_DMA = 0,    /* what every device of the machine reaches */
    ZONE_DMA32 = 1,  /* below 4 GiB */
    ZONE_NORMAL = 2, /* the rest */
    ZONE_COUNT
};

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
    uint64_t managed_pages GUARDED_BY(lock); /* ever given to the buddy allocator */

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

/* Sets the three watermarks from the pages that this zone is to keep free at the least: min, min + 1/4, min + 1/2. */
void zone_set_watermarks(struct zone *zone, uint64_t min_pages);

/*
 * True if a block of `order` can be taken for a request whose first choice is a zone of type `preferred` so that at
 * least the pages of `mark` (plus what is reserved against that type) stay free. Lock: zone->lock held.
 */
bool zone_watermark_ok_locked(struct zone *zone, unsigned order, enum watermark mark, enum zone_type preferred)
    REQUIRES(zone->lock);

/* A consistent copy of the zone's figures, for `mem` and `buddyinfo`. */
struct zone_info {
    enum zone_type type;
    uint64_t start_pfn, end_pfn;
    uint64_t present_pages, managed_pages, free_pages;
    uint64_t watermarks[WATERMARK_COUNT];
    uint64_t free_blocks[ORDER_COUNT][MIGRATE_COUNT];
    struct zone_statistics statistics;
};

/* Fills *info. Takes zone->lock. */
void zone_read_info(struct zone *zone, struct zone_info *info) EXCLUDES(zone->lock);

#endif
