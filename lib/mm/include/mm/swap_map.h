/* SPDX-License-Identifier: MIT */
/*
 * Which slots of which swap area are in use. A slot has room for one page; how many users it has is counted in one byte.
 * Slots are given out by clusters: pages that are written together get slots that lie together, first from the cluster
 * that was used last, then from an empty one, then from what is left in others. Areas of higher priority are used first,
 * those of the same priority in turn.
 *
 * Everything but the counts can be made from the counts, and nothing is a pointer into another part: a map whose owner
 * died in the middle of a call is whole again after swap_map_recover(), if the memory of the counts is still there.
 *
 * In every call: the lock of whoever owns the map is held; nothing is allocated; a failure changes nothing.
 */
#ifndef MM_SWAP_MAP_H
#define MM_SWAP_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define SWAP_AREAS_MAX     8u
#define SWAP_CLUSTER_SLOTS 256u
#define SWAP_COUNT_MAX     253u /* users of one slot */
#define SWAP_COUNT_LOST    254u /* in use, and bad: is not used again when it is free */
#define SWAP_COUNT_BAD     255u /* never used */
#define SWAP_SLOTS_MAX     0xffffff00u
#define SWAP_NONE          UINT32_MAX /* no cluster */

/* A slot of an area, as it is written to translation tables: never 0, since the first slot of an area is its header. */
typedef uint64_t swap_slot;

#define SWAP_AREA_SHIFT 40

static inline swap_slot swap_slot_make(uint32_t area, uint64_t offset)
{
    return (uint64_t)area << SWAP_AREA_SHIFT | offset;
}

static inline uint32_t swap_slot_area(swap_slot slot)
{
    return (uint32_t)(slot >> SWAP_AREA_SHIFT);
}

/* In slots from the area's first, the header. */
static inline uint64_t swap_slot_offset(swap_slot slot)
{
    return slot & ((1UL << SWAP_AREA_SHIFT) - 1);
}

enum swap_cluster_list { SWAP_CLUSTER_EMPTY, SWAP_CLUSTER_PARTIAL, SWAP_CLUSTER_FULL, SWAP_CLUSTER_LISTS };

struct swap_cluster {
    uint32_t next, previous; /* of its list */
    uint16_t taken;          /* slots that are not free, bad ones included */
    uint8_t list;            /* enum swap_cluster_list */
};

/* The bytes that an area of `slots` needs for counts and clusters. */
#define SWAP_CLUSTERS(slots)  (((slots) + SWAP_CLUSTER_SLOTS - 1) / SWAP_CLUSTER_SLOTS)
#define SWAP_MAP_BYTES(slots) (SWAP_CLUSTERS(slots) * (SWAP_CLUSTER_SLOTS + sizeof(struct swap_cluster)))

struct swap_area {
    uint8_t *counts; /* SWAP_CLUSTERS(slots) * SWAP_CLUSTER_SLOTS of them; NULL: there is no such area */
    struct swap_cluster *clusters;
    uint32_t slots;
    uint32_t heads[SWAP_CLUSTER_LISTS];
    uint32_t tails[SWAP_CLUSTER_LISTS];
    uint32_t current; /* the cluster that is being filled; SWAP_NONE */
    uint32_t cursor;  /* where in it to look first */
    int32_t priority; /* the highest is used first */
    bool enabled;     /* gives out slots */
    uint64_t used;    /* slots that have users */
    uint64_t bad;     /* slots that are never used again and have no user, the header included */
};

struct swap_map {
    struct swap_area areas[SWAP_AREAS_MAX];
    uint32_t turn; /* the area that was used last, for areas of the same priority */
};

/* Makes a map without areas. */
void swap_map_init(struct swap_map *map);

/*
 * Adds an area of `slots` pages, the first of which is the header and never given out. `memory` has SWAP_MAP_BYTES(slots)
 * bytes of any content, aligned to 8, and stays with the map until swap_map_remove(). Returns the area's number. EINVAL:
 * fewer than 2 slots or more than SWAP_SLOTS_MAX; ENOSPC: there are SWAP_AREAS_MAX areas.
 */
MUST_CHECK int swap_map_add(struct swap_map *map, void *memory, uint64_t slots, int32_t priority);

/* The same for area `area`, which an earlier owner of the map had; its slots in use are then told by swap_map_take(). EINVAL;
 * EEXIST: the area is there. */
MUST_CHECK int swap_map_add_at(struct swap_map *map, uint32_t area, void *memory, uint64_t slots, int32_t priority);

/* Takes a certain slot, with one user. EINVAL: no such slot, or the header; EBUSY: it is in use, or bad. */
MUST_CHECK int swap_map_take(struct swap_map *map, swap_slot slot);

/* The same as swap_map_add_at() that are in `memory` already, written by the earlier owner: keeps them, and makes the rest
 * anew. EINVAL: as above, or the header has users; EEXIST: the area is there. */
MUST_CHECK int swap_map_recover(struct swap_map *map, uint32_t area, void *memory, uint64_t slots, int32_t priority);

/* Takes an area away. ENOENT: there is none; EBUSY: slots of it are in use. */
MUST_CHECK int swap_map_remove(struct swap_map *map, uint32_t area);

/* Lets an area give out slots or not. An area that does not is being emptied: see swap_map_next_used(). ENOENT. */
MUST_CHECK int swap_map_enable(struct swap_map *map, uint32_t area, bool enabled);

/* Slots are never given out again: a bad block of the device. A slot in use is lost once it has no user. EINVAL: no such
 * slot, or the header. */
MUST_CHECK int swap_map_set_bad(struct swap_map *map, swap_slot slot);

/*
 * Takes up to `want` slots, each with one user, from one area: as far as possible one after the other. Writes them to
 * `slots` in rising order within each cluster and returns how many there are; fewer than `want` only if that area has no
 * more, so ask again; 0: all areas that give out slots are full.
 */
uint32_t swap_map_alloc(struct swap_map *map, swap_slot *slots, uint32_t want);

/* One user more. EINVAL: the slot is not in use; EOVERFLOW: it has SWAP_COUNT_MAX, or was lost. */
MUST_CHECK int swap_map_get(struct swap_map *map, swap_slot slot);

/* One user less. 1: it was the last, and the slot is free; 0: there are others; EINVAL: the slot is not in use. */
MUST_CHECK int swap_map_put(struct swap_map *map, swap_slot slot);

/* The slot's users; 0 for any slot that is not in use. */
uint32_t swap_map_count(const struct swap_map *map, swap_slot slot);

/* The first slot of an area in use at offset `from` or above; 0: there is none. Emptying an area goes from 0 up. */
swap_slot swap_map_next_used(const struct swap_map *map, uint32_t area, uint64_t from);

/*
 * The slots in use around one, for reading them together: those of a block of `pages`, a power of two, aligned to its size,
 * that has `slot`. Writes them in rising order, `slot` among them, and returns how many; 0: `slot` is not in use. `out`
 * has `pages` places.
 */
uint32_t swap_map_neighbours(const struct swap_map *map, swap_slot slot, uint32_t pages, swap_slot *out);

struct swap_map_info {
    uint64_t total; /* slots of all areas that can be used, headers and bad ones not counted */
    uint64_t used;
    uint64_t available; /* free slots in areas that give them out */
};

struct swap_map_info swap_map_info(const struct swap_map *map);

/* Walks all areas. 0, or EIO (negative) if counts, clusters or lists are wrong. */
MUST_CHECK int swap_map_check(const struct swap_map *map);

#endif
