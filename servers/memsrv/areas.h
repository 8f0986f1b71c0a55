/* SPDX-License-Identifier: MIT */
/*
 * Areas of a space as records: into the tree and out of it, with everything that is counted by them, the objects that
 * they map, and the records that splits need. The space's lock is held; nothing here touches translations.
 */
#ifndef MEMSRV_AREAS_H
#define MEMSRV_AREAS_H

#include "limits.h"

/* Records that a change needs: two for the ends of each range that is cut, of which there are two, and a new area. */
#define SPARES_MAX 5u

struct spares {
    unsigned count;
    struct vma *areas[SPARES_MAX];
};

/* Takes `count` zeroed records, all or none. ENOMEM. */
MUST_CHECK int spares_get(struct spares *spares, unsigned count);

/* Gives back the records that are left. */
void spares_free(struct spares *spares);

/* Number of pages in whole pages of bytes. */
static inline uint64_t pages_of(uint64_t bytes)
{
    return bytes >> PAGE_SHIFT;
}

/* Counts `pages` of an area with `flags` as the space's, or as the space's no longer. The machine's count of promises
 * is another: limits_charge_locked() before the space gets areas with VMA_CHARGED, and area_drop_locked() or
 * area_resize_locked() when it loses them. */
static inline void area_count_locked(struct space *space, uint64_t flags, uint64_t pages) REQUIRES(space->lock)
{
    if (area_is_data(flags))
        space->data_pages += pages;
    if (flags & VMA_LOCKED)
        space->locked_pages += pages;
    if (flags & VMA_CHARGED)
        space->charged_pages += pages;
}

static inline void area_uncount_locked(struct space *space, uint64_t flags, uint64_t pages) REQUIRES(space->lock)
{
    area_count_locked(space, flags, -pages);
}

/* Puts a record whose start, end, flags, offset, object and touched are set into the tree, where nothing is, right below
 * `above` (NULL: last); counts it, enters it with its object, and merges it with its neighbours. Returns the area that
 * then holds it. */
struct vma *area_insert_locked(struct space *space, struct vma *area, struct vma *above) REQUIRES(space->lock);

/* Takes an area out of tree, counts and object, and frees it. Its pages are unmapped already. */
void area_drop_locked(struct memsrv_context *worker, struct space *space, struct vma *area) REQUIRES(space->lock);

/* vma_cut_apply(), with the new areas entered with their objects. */
struct vma *areas_cut_locked(struct space *space, const struct vma_cut_plan *plan, struct vma *const nodes[])
    REQUIRES(space->lock);

/* Merges all areas that touch [start, end] where that is possible. `first` is one of them, the first to look at. */
void areas_merge_locked(struct space *space, struct vma *first, uint64_t end) REQUIRES(space->lock);

/* Moves the ends of an area into free space or inwards and keeps the counts; pages that are cut off are unmapped
 * already, and promises for new ones got. Cannot fail: the caller has looked. */
void area_resize_locked(struct space *space, struct vma *area, uint64_t start, uint64_t end) REQUIRES(space->lock);

/* Gives an area other flags and keeps the counts. It does not lose VMA_CHARGED; if it gets it, the promise is there. */
static inline void area_set_flags_locked(struct space *space, struct vma *area, uint64_t flags) REQUIRES(space->lock)
{
    if (flags == area->flags)
        return;
    area_count_locked(space, flags, pages_of(area->end - area->start));
    area_uncount_locked(space, area->flags, pages_of(area->end - area->start));
    area->flags = flags;
}

/* The first page of the object that the area shows at an address, as an index of its pages. */
static inline uint64_t area_index(const struct vma *area, uint64_t address)
{
    return (area->offset + (address - area->start)) >> PAGE_SHIFT;
}

/* What a client is told of an area. */
struct memsrv_area area_describe(const struct vma *area);

/* Walks areas against the space's counts. 0, or EIO (negative). */
MUST_CHECK int areas_check_locked(struct space *space) REQUIRES(space->lock);

#endif
