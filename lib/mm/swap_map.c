/* SPDX-License-Identifier: MIT */
/* Swap slots: clusters and allocation. Areas and what is asked about them are swap_area.c's. */
#include <errno.h>

#include "swap_internal.h"

void swap_cluster_unlink(struct swap_area *area, uint32_t index)
{
    struct swap_cluster *cluster = &area->clusters[index];
    if (cluster->previous == SWAP_NONE)
        area->heads[cluster->list] = cluster->next;
    else
        area->clusters[cluster->previous].next = cluster->next;
    if (cluster->next == SWAP_NONE)
        area->tails[cluster->list] = cluster->previous;
    else
        area->clusters[cluster->next].previous = cluster->previous;
}

void swap_cluster_link(struct swap_area *area, uint32_t index)
{
    struct swap_cluster *cluster = &area->clusters[index];
    unsigned list = swap_cluster_list_of(cluster);
    *cluster = (struct swap_cluster){
        .next = SWAP_NONE, .previous = area->tails[list], .taken = cluster->taken, .list = (uint8_t)list};
    if (area->tails[list] == SWAP_NONE)
        area->heads[list] = index;
    else
        area->clusters[area->tails[list]].next = index;
    area->tails[list] = index;
}

/* The number of taken slots of a cluster changes by `change`; it goes to the list that it then belongs on. */
static void cluster_change(struct swap_area *area, uint64_t offset, int change)
{
    uint32_t index = (uint32_t)(offset / SWAP_CLUSTER_SLOTS);
    struct swap_cluster *cluster = &area->clusters[index];
    cluster->taken = (uint16_t)(cluster->taken + change);
    if (swap_cluster_list_of(cluster) == cluster->list)
        return;
    swap_cluster_unlink(area, index);
    swap_cluster_link(area, index);
}

/* Where the next slots come from: the current cluster while it has free slots, an empty one, one with free slots. */
static bool choose_cluster(struct swap_area *area)
{
    if (area->current != SWAP_NONE && area->clusters[area->current].taken < SWAP_CLUSTER_SLOTS)
        return true;
    area->current = area->heads[SWAP_CLUSTER_EMPTY];
    if (area->current == SWAP_NONE)
        area->current = area->heads[SWAP_CLUSTER_PARTIAL];
    area->cursor = 0;
    return area->current != SWAP_NONE;
}

static void take_slot(struct swap_area *area, uint64_t offset)
{
    area->counts[offset] = 1;
    area->used++;
    cluster_change(area, offset, 1);
}

/* Takes up to `want` slots of the current cluster, which has a free one, from the cursor on and then from its start. */
static uint32_t take_from_cluster(struct swap_area *area, uint32_t number, swap_slot *slots, uint32_t want)
{
    uint32_t got = 0;
    uint64_t base = (uint64_t)area->current * SWAP_CLUSTER_SLOTS;
    if (area->cursor == SWAP_CLUSTER_SLOTS)
        area->cursor = 0;
    for (uint32_t turns = 0; turns < 2 && got == 0; turns++) {
        while (area->cursor < SWAP_CLUSTER_SLOTS && got < want) {
            uint64_t offset = base + area->cursor++;
            if (area->counts[offset] != 0)
                continue;
            take_slot(area, offset);
            slots[got++] = swap_slot_make(number, offset);
        }
        if (got == 0)
            area->cursor = 0;
    }
    return got;
}

/* True if `next` is to be used rather than `best`, which may be none. */
static bool is_better(const struct swap_map *map, uint32_t next, uint32_t best)
{
    if (best == SWAP_AREAS_MAX)
        return true;
    if (map->areas[next].priority != map->areas[best].priority)
        return map->areas[next].priority > map->areas[best].priority;
    /* The same priority: who comes next after the one that was used last. */
    uint32_t turns_next = (next + SWAP_AREAS_MAX - map->turn - 1) % SWAP_AREAS_MAX;
    uint32_t turns_best = (best + SWAP_AREAS_MAX - map->turn - 1) % SWAP_AREAS_MAX;
    return turns_next < turns_best;
}

static uint32_t choose_area(const struct swap_map *map)
{
    uint32_t best = SWAP_AREAS_MAX;
    for (uint32_t i = 0; i < SWAP_AREAS_MAX; i++) {
        const struct swap_area *area = &map->areas[i];
        if (area->counts && area->enabled && swap_area_free(area) > 0 && is_better(map, i, best))
            best = i;
    }
    return best;
}

uint32_t swap_map_alloc(struct swap_map *map, swap_slot *slots, uint32_t want)
{
    uint32_t got = 0, number = choose_area(map);
    if (number == SWAP_AREAS_MAX)
        return 0;
    struct swap_area *area = &map->areas[number];
    map->turn = number;
    while (got < want && choose_cluster(area))
        got += take_from_cluster(area, number, slots + got, want - got);
    return got;
}

/* The area of a slot that can be used, the header and what lies behind the end not; NULL: it cannot. */
static struct swap_area *area_of(const struct swap_map *map, swap_slot slot)
{
    uint32_t number = swap_slot_area(slot);
    if (number >= SWAP_AREAS_MAX || !map->areas[number].counts)
        return NULL;
    uint64_t offset = swap_slot_offset(slot);
    return offset > 0 && offset < map->areas[number].slots ? (struct swap_area *)&map->areas[number] : NULL;
}

int swap_map_take(struct swap_map *map, swap_slot slot)
{
    struct swap_area *area = area_of(map, slot);
    if (!area)
        return -EINVAL;
    if (area->counts[swap_slot_offset(slot)] != 0)
        return -EBUSY;
    take_slot(area, swap_slot_offset(slot));
    return 0;
}

int swap_map_set_bad(struct swap_map *map, swap_slot slot)
{
    struct swap_area *area = area_of(map, slot);
    uint64_t offset = swap_slot_offset(slot);
    if (!area)
        return -EINVAL;
    if (area->counts[offset] == 0) {
        area->counts[offset] = SWAP_COUNT_BAD;
        area->bad++;
        cluster_change(area, offset, 1);
    } else if (area->counts[offset] == 1) {
        area->counts[offset] = SWAP_COUNT_LOST;
    }
    return 0;
}

int swap_map_get(struct swap_map *map, swap_slot slot)
{
    struct swap_area *area = area_of(map, slot);
    uint32_t count = swap_map_count(map, slot);
    if (count == 0)
        return -EINVAL;
    if (area->counts[swap_slot_offset(slot)] >= SWAP_COUNT_MAX)
        return -EOVERFLOW;
    area->counts[swap_slot_offset(slot)]++;
    return 0;
}

int swap_map_put(struct swap_map *map, swap_slot slot)
{
    struct swap_area *area = area_of(map, slot);
    uint64_t offset = swap_slot_offset(slot);
    if (swap_map_count(map, slot) == 0)
        return -EINVAL;
    if (area->counts[offset] == SWAP_COUNT_LOST) {
        area->counts[offset] = SWAP_COUNT_BAD;
        area->bad++;
        area->used--;
        return 1;
    }
    if (--area->counts[offset] > 0)
        return 0;
    area->used--;
    cluster_change(area, offset, -1);
    return 1;
}

uint32_t swap_map_count(const struct swap_map *map, swap_slot slot)
{
    const struct swap_area *area = area_of(map, slot);
    uint8_t count = area ? area->counts[swap_slot_offset(slot)] : 0;
    if (count == SWAP_COUNT_LOST)
        return 1;
    return count == SWAP_COUNT_BAD ? 0 : count;
}

uint32_t swap_map_neighbours(const struct swap_map *map, swap_slot slot, uint32_t pages, swap_slot *out)
{
    uint32_t found = 0;
    if (swap_map_count(map, slot) == 0)
        return 0;
    swap_slot first = slot & ~(uint64_t)(pages - 1);
    for (uint32_t i = 0; i < pages; i++) {
        if (swap_map_count(map, first + i) > 0)
            out[found++] = first + i;
    }
    return found;
}
