/* SPDX-License-Identifier: MIT */
/* Swap areas: coming, going, and the walk over them. */
#include <errno.h>
#include <string.h>

#include "swap_internal.h"

void swap_map_init(struct swap_map *map)
{
    *map = (struct swap_map){.turn = SWAP_AREAS_MAX - 1};
}

/* Makes lists and sums out of the counts. */
static void make_from_counts(struct swap_area *area)
{
    for (unsigned list = 0; list < SWAP_CLUSTER_LISTS; list++)
        area->heads[list] = area->tails[list] = SWAP_NONE;
    area->current = SWAP_NONE;
    area->cursor = 0;
    area->used = area->bad = 0;
    for (uint32_t index = 0; index < SWAP_CLUSTERS(area->slots); index++) {
        uint16_t taken = 0;
        for (uint32_t i = 0; i < SWAP_CLUSTER_SLOTS; i++) {
            uint64_t offset = (uint64_t)index * SWAP_CLUSTER_SLOTS + i;
            taken = (uint16_t)(taken + (area->counts[offset] != 0));
            if (offset >= area->slots)
                continue;
            area->bad += area->counts[offset] == SWAP_COUNT_BAD;
            area->used += area->counts[offset] != 0 && area->counts[offset] != SWAP_COUNT_BAD;
        }
        area->clusters[index].taken = taken;
        swap_cluster_link(area, index);
    }
}

/* Lays an area out in its memory. */
static struct swap_area area_in(void *memory, uint64_t slots, int32_t priority)
{
    struct swap_area area = {.slots = (uint32_t)slots, .priority = priority, .enabled = true};
    area.clusters = memory;
    area.counts = (uint8_t *)(area.clusters + SWAP_CLUSTERS(slots));
    return area;
}

/* The last cluster's slots that the area does not have are never free. */
static void close_end(struct swap_area *area)
{
    for (uint64_t offset = area->slots; offset < SWAP_CLUSTERS((uint64_t)area->slots) * SWAP_CLUSTER_SLOTS; offset++)
        area->counts[offset] = SWAP_COUNT_BAD;
}

int swap_map_add_at(struct swap_map *map, uint32_t number, void *memory, uint64_t slots, int32_t priority)
{
    if (number >= SWAP_AREAS_MAX || slots < 2 || slots > SWAP_SLOTS_MAX)
        return -EINVAL;
    struct swap_area *area = &map->areas[number];
    if (area->counts)
        return -EEXIST;
    *area = area_in(memory, slots, priority);
    memset(area->counts, 0, slots);
    area->counts[0] = SWAP_COUNT_BAD;
    close_end(area);
    make_from_counts(area);
    return 0;
}

int swap_map_add(struct swap_map *map, void *memory, uint64_t slots, int32_t priority)
{
    uint32_t number = 0;
    while (number < SWAP_AREAS_MAX && map->areas[number].counts)
        number++;
    if (number == SWAP_AREAS_MAX)
        return slots < 2 || slots > SWAP_SLOTS_MAX ? -EINVAL : -ENOSPC;
    int error = swap_map_add_at(map, number, memory, slots, priority);
    return error < 0 ? error : (int)number;
}

int swap_map_recover(struct swap_map *map, uint32_t area, void *memory, uint64_t slots, int32_t priority)
{
    if (area >= SWAP_AREAS_MAX || slots < 2 || slots > SWAP_SLOTS_MAX)
        return -EINVAL;
    if (map->areas[area].counts)
        return -EEXIST;
    struct swap_area found = area_in(memory, slots, priority);
    if (found.counts[0] != SWAP_COUNT_BAD)
        return -EINVAL;
    close_end(&found);
    make_from_counts(&found);
    map->areas[area] = found;
    return 0;
}

int swap_map_remove(struct swap_map *map, uint32_t area)
{
    if (area >= SWAP_AREAS_MAX || !map->areas[area].counts)
        return -ENOENT;
    if (map->areas[area].used > 0)
        return -EBUSY;
    map->areas[area] = (struct swap_area){0};
    return 0;
}

int swap_map_enable(struct swap_map *map, uint32_t area, bool enabled)
{
    if (area >= SWAP_AREAS_MAX || !map->areas[area].counts)
        return -ENOENT;
    map->areas[area].enabled = enabled;
    return 0;
}

swap_slot swap_map_next_used(const struct swap_map *map, uint32_t area, uint64_t from)
{
    if (area >= SWAP_AREAS_MAX || !map->areas[area].counts)
        return 0;
    for (uint64_t offset = from; offset < map->areas[area].slots; offset++) {
        if (swap_map_count(map, swap_slot_make(area, offset)) > 0)
            return swap_slot_make(area, offset);
    }
    return 0;
}

struct swap_map_info swap_map_info(const struct swap_map *map)
{
    struct swap_map_info info = {0};
    for (uint32_t i = 0; i < SWAP_AREAS_MAX; i++) {
        const struct swap_area *area = &map->areas[i];
        info.total += area->slots - area->bad;
        info.used += area->used;
        info.available += area->enabled ? swap_area_free(area) : 0;
    }
    return info;
}

/* Walks the lists of an area. */
static bool lists_ok(const struct swap_area *area)
{
    uint64_t found = 0;
    for (unsigned list = 0; list < SWAP_CLUSTER_LISTS; list++) {
        uint32_t previous = SWAP_NONE;
        for (uint32_t index = area->heads[list]; index != SWAP_NONE; index = area->clusters[index].next) {
            if (index >= SWAP_CLUSTERS(area->slots) || ++found > SWAP_CLUSTERS(area->slots))
                return false;
            const struct swap_cluster *cluster = &area->clusters[index];
            if (cluster->list != list || cluster->previous != previous || swap_cluster_list_of(cluster) != list)
                return false;
            previous = index;
        }
        if (area->tails[list] != previous)
            return false;
    }
    return found == SWAP_CLUSTERS(area->slots);
}

static bool counts_ok(const struct swap_area *area)
{
    uint64_t used = 0, bad = 0;
    for (uint32_t index = 0; index < SWAP_CLUSTERS(area->slots); index++) {
        uint32_t taken = 0;
        for (uint32_t i = 0; i < SWAP_CLUSTER_SLOTS; i++) {
            uint64_t offset = (uint64_t)index * SWAP_CLUSTER_SLOTS + i;
            uint8_t count = area->counts[offset];
            taken += count != 0;
            if (offset >= area->slots && count != SWAP_COUNT_BAD)
                return false;
            bad += offset < area->slots && count == SWAP_COUNT_BAD;
            used += count != 0 && count != SWAP_COUNT_BAD;
        }
        if (taken != area->clusters[index].taken)
            return false;
    }
    return used == area->used && bad == area->bad && area->counts[0] == SWAP_COUNT_BAD;
}

int swap_map_check(const struct swap_map *map)
{
    for (uint32_t i = 0; i < SWAP_AREAS_MAX; i++) {
        const struct swap_area *area = &map->areas[i];
        if (!area->counts)
            continue;
        if (!lists_ok(area) || !counts_ok(area))
            return -EIO;
        if (area->current != SWAP_NONE && area->current >= SWAP_CLUSTERS(area->slots))
            return -EIO;
    }
    return 0;
}
