/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator of a zone: blocks of 2^order pages, aligned to their size, split on allocation and merged on
 * free. Each migrate type has its own free lists; when they are empty, blocks of another type are used, and a large
 * enough block takes its whole pageblock over to the new type.
 *
 * In every call: zone->lock is held; orders are 0..MAX_ORDER; a failure changes nothing.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include <mm/zone.h>

/*
 * Gives the pages [start_pfn, end_pfn) to the allocator as free memory; their pageblocks become of type `migrate`.
 * All must have descriptors and be PAGE_RESERVED. EINVAL: empty range, outside the zone, no descriptors, or a page
 * that was given before.
 */
MUST_CHECK int buddy_add_range_locked(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn,
                                      enum migrate_type migrate) REQUIRES(zone->lock);

/*
 * As above, but nothing is done now: the pages count as managed and free, their descriptors are not touched. They are
 * given to the allocator, a subsection at a time, lowest first, when a request would else mix migrate types in a
 * pageblock or fail. The sections must have been added. Their subsections may be written or not. EINVAL: empty range,
 * outside the zone, no section, or not above what was deferred before; ENOSPC: DEFERRED_RANGES_MAX are there already.
 */
MUST_CHECK int buddy_defer_range_locked(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn) REQUIRES(zone->lock);

/* Gives the next deferred pages, of one subsection at most, to the allocator. False: there are none. */
bool buddy_grow_locked(struct zone *zone) REQUIRES(zone->lock);

/*
 * Takes a block of 2^order pages: its first page has refcount 1, mapcount 0, flags PAGE_ALLOCATED, the order and the
 * migrate type; the content is not touched. The caller owns the block. NULL if there is none (order above MAX_ORDER
 * too). Watermarks are not looked at.
 */
MUST_CHECK struct page *buddy_alloc_locked(struct zone *zone, unsigned order, enum migrate_type migrate)
    REQUIRES(zone->lock);

/*
 * Gives the block back that starts at `page`. The caller is its only holder: refcount is at most 1.
 * EINVAL: not the first page of an allocated block of that order (a double free is this), or not of this zone;
 * EBUSY: somebody else holds it or a translation points to it.
 */
MUST_CHECK int buddy_free_locked(struct zone *zone, struct page *page, unsigned order) REQUIRES(zone->lock);

/*
 * Takes up to `count` blocks of order 0, as buddy_alloc_locked() does, into pages[]; returns how many there were. What
 * is left of small blocks goes first, so large ones stay whole as long as possible; consecutive pages are in order.
 */
MUST_CHECK uint32_t buddy_alloc_pages_locked(struct zone *zone, enum migrate_type migrate, struct page *pages[],
                                             uint32_t count) REQUIRES(zone->lock);

/*
 * Gives back `count` blocks of order 0, which must all be allocated and of this zone and have no holder but the caller.
 * Runs of consecutive pages, upwards or downwards, are quicker than others.
 */
void buddy_free_pages_locked(struct zone *zone, struct page *const pages[], uint32_t count) REQUIRES(zone->lock);

/*
 * Turns an allocated block of `order` into 2^order allocated blocks of order 0, each with refcount 1, to be freed one
 * by one. Each gets the owner and the owner's flags of the first, without PAGE_HUGE, and an index one above that of the
 * page before it. The flags of a page are written last (release): who sees PAGE_ALLOCATED alone in them, without the
 * lock (acquire), sees the rest. EINVAL: not the first page of an allocated block of that order, or not of this zone.
 */
MUST_CHECK int buddy_split_allocated_locked(struct zone *zone, struct page *page, unsigned order) REQUIRES(zone->lock);

/*
 * Walks all free lists and all written descriptors of the zone. 0, or EIO (negative) if something does not add up: list
 * links, counts, orders, alignment, two free buddies left unmerged, blocks that overlap, a page in no block, managed
 * pages that are neither free, allocated nor listed.
 */
MUST_CHECK int buddy_check_locked(struct zone *zone) REQUIRES(zone->lock);

/* The same with the lock taken inside: for callers that need one page or block now and then. */
MUST_CHECK struct page *buddy_alloc(struct zone *zone, unsigned order, enum migrate_type migrate) EXCLUDES(zone->lock);
MUST_CHECK int buddy_free(struct zone *zone, struct page *page, unsigned order) EXCLUDES(zone->lock);
MUST_CHECK int buddy_add_range(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn, enum migrate_type migrate)
    EXCLUDES(zone->lock);
MUST_CHECK int buddy_defer_range(struct zone *zone, uint64_t start_pfn, uint64_t end_pfn) EXCLUDES(zone->lock);
MUST_CHECK int buddy_check(struct zone *zone) EXCLUDES(zone->lock);

#endif
