/* SPDX-License-Identifier: MIT */
/* The swap map: clusters, priorities, bad slots, emptying and recovery, and a random run against plain arrays. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mm/swap_map.h>

#include "harness.h"

static struct swap_map map;
static void *memories[SWAP_AREAS_MAX];

static uint32_t add(uint64_t slots, int32_t priority)
{
    void *memory = malloc(SWAP_MAP_BYTES(slots));
    EXPECT(memory);
    memset(memory, 0xa5, SWAP_MAP_BYTES(slots));
    int area = swap_map_add(&map, memory, slots, priority);
    EXPECT(area >= 0);
    memories[area] = memory;
    return (uint32_t)area;
}

static void drop(uint32_t area)
{
    EXPECT(swap_map_remove(&map, area) == 0 && swap_map_remove(&map, area) == -ENOENT);
    free(memories[area]);
}

static void clusters(void)
{
    swap_slot first[100], second[300];
    swap_map_init(&map);
    uint32_t area = add(1000, 0);
    EXPECT(swap_map_alloc(&map, first, 100) == 100 && swap_map_alloc(&map, second, 300) == 300);
    /* The first area's cluster 0 has the header, so an empty one is used first. */
    for (unsigned i = 1; i < 100; i++)
        EXPECT(first[i] == first[i - 1] + 1);
    EXPECT(second[0] == first[99] + 1 && swap_slot_offset(first[0]) % SWAP_CLUSTER_SLOTS == 0);
    EXPECT(swap_map_check(&map) == 0 && swap_map_info(&map).used == 400 && swap_map_info(&map).available == 599);
    for (unsigned i = 0; i < 300; i++)
        EXPECT(swap_map_put(&map, second[i]) == 1);
    for (unsigned i = 0; i < 100; i++)
        EXPECT(swap_map_put(&map, first[i]) == 1 && swap_map_put(&map, first[i]) == -EINVAL);
    EXPECT(swap_map_check(&map) == 0);
    drop(area);
}

static void last_slot(void)
{
    swap_slot slots[600];
    swap_map_init(&map);
    uint32_t area = add(600, 0);
    EXPECT(swap_map_alloc(&map, slots, 600) == 599 && swap_map_alloc(&map, slots, 1) == 0);
    EXPECT(swap_map_put(&map, swap_slot_make(area, 300)) == 1);
    EXPECT(swap_map_alloc(&map, slots, 5) == 1 && slots[0] == swap_slot_make(area, 300) && swap_map_check(&map) == 0);
    EXPECT(swap_map_remove(&map, area) == -EBUSY);
    for (uint64_t offset = 1; offset < 600; offset++)
        EXPECT(swap_map_put(&map, swap_slot_make(area, offset)) == 1);
    drop(area);
}

static void priorities(void)
{
    swap_slot slots[400];
    swap_map_init(&map);
    uint32_t low = add(257, -2), a = add(257, 5), b = add(257, 5);
    EXPECT(swap_map_alloc(&map, slots, 8) == 8 && swap_slot_area(slots[0]) == a);
    EXPECT(swap_map_alloc(&map, slots, 8) == 8 && swap_slot_area(slots[0]) == b);
    EXPECT(swap_map_alloc(&map, slots, 400) == 248 && swap_slot_area(slots[0]) == a);
    EXPECT(swap_map_alloc(&map, slots, 400) == 248 && swap_slot_area(slots[0]) == b);
    EXPECT(swap_map_alloc(&map, slots, 400) == 256 && swap_slot_area(slots[0]) == low);
    EXPECT(swap_map_alloc(&map, slots, 400) == 0 && swap_map_put(&map, swap_slot_make(a, 9)) == 1);
    EXPECT(swap_map_enable(&map, a, false) == 0 && swap_map_alloc(&map, slots, 1) == 0);
    EXPECT(swap_map_enable(&map, a, true) == 0 && swap_map_alloc(&map, slots, 1) == 1);
    EXPECT(slots[0] == swap_slot_make(a, 9) && swap_map_enable(&map, 7, true) == -ENOENT && swap_map_check(&map) == 0);
    for (unsigned i = 0; i < 3; i++)
        free(memories[i]);
}

static void users(void)
{
    swap_slot slot;
    swap_map_init(&map);
    uint32_t area = add(10, 0);
    EXPECT(swap_map_alloc(&map, &slot, 1) == 1 && swap_map_count(&map, slot) == 1);
    for (uint32_t count = 1; count < SWAP_COUNT_MAX; count++)
        EXPECT(swap_map_get(&map, slot) == 0 && swap_map_count(&map, slot) == count + 1);
    EXPECT(swap_map_get(&map, slot) == -EOVERFLOW && swap_map_count(&map, slot) == SWAP_COUNT_MAX);
    for (uint32_t count = SWAP_COUNT_MAX; count > 1; count--)
        EXPECT(swap_map_put(&map, slot) == 0);
    EXPECT(swap_map_put(&map, slot) == 1 && swap_map_put(&map, slot) == -EINVAL && swap_map_get(&map, slot) == -EINVAL);
    const swap_slot wrong[] = {0, 10, swap_slot_make(area, 1UL << 39), swap_slot_make(3, 1), UINT64_MAX};
    for (unsigned i = 0; i < 5; i++) {
        EXPECT(swap_map_put(&map, wrong[i]) == -EINVAL && swap_map_get(&map, wrong[i]) == -EINVAL);
        EXPECT(swap_map_set_bad(&map, wrong[i]) == -EINVAL && swap_map_count(&map, wrong[i]) == 0);
    }
    drop(area);
}

static void bad_slots(void)
{
    swap_slot slots[20];
    swap_map_init(&map);
    uint32_t area = add(10, 0);
    EXPECT(swap_map_set_bad(&map, 3) == 0 && swap_map_set_bad(&map, 3) == 0 && swap_map_info(&map).total == 8);
    EXPECT(swap_map_alloc(&map, slots, 20) == 8 && slots[2] == 4 && swap_map_check(&map) == 0);
    EXPECT(swap_map_set_bad(&map, 5) == 0 && swap_map_count(&map, 5) == 1 && swap_map_get(&map, 5) == -EOVERFLOW);
    EXPECT(swap_map_put(&map, 5) == 1 && swap_map_count(&map, 5) == 0 && swap_map_alloc(&map, slots, 1) == 0);
    EXPECT(swap_map_check(&map) == 0);
    for (uint64_t offset = 1; offset < 10; offset++) {
        if (offset != 3 && offset != 5)
            EXPECT(swap_map_put(&map, offset) == 1);
    }
    EXPECT(swap_map_info(&map).total == 7 && swap_map_info(&map).available == 7);
    drop(area);
}

static void emptying(void)
{
    swap_slot slots[30];
    swap_map_init(&map);
    uint32_t area = add(600, 0);
    EXPECT(swap_map_next_used(&map, area, 0) == 0 && swap_map_next_used(&map, 9, 0) == 0);
    EXPECT(swap_map_alloc(&map, slots, 30) == 30 && swap_map_put(&map, slots[4]) == 1);
    uint64_t from = 0, found = 0;
    for (swap_slot slot; (slot = swap_map_next_used(&map, area, from)) != 0; from = swap_slot_offset(slot) + 1, found++)
        EXPECT(slot == slots[found < 4 ? found : found + 1] && swap_map_put(&map, slot) == 1);
    EXPECT(found == 29);
    drop(area);
}

static void neighbours(void)
{
    swap_slot slots[16], out[8];
    swap_map_init(&map);
    uint32_t area = add(16, 0);
    EXPECT(swap_map_alloc(&map, slots, 16) == 15 && swap_map_put(&map, 10) == 1);
    EXPECT(swap_map_neighbours(&map, 12, 8, out) == 7 && out[0] == 8 && out[2] == 11 && out[6] == 15);
    EXPECT(swap_map_neighbours(&map, 3, 4, out) == 3 && out[0] == 1 && swap_map_neighbours(&map, 10, 8, out) == 0);
    EXPECT(swap_map_neighbours(&map, 12, 1, out) == 1 && out[0] == 12);
    free(memories[area]);
}

/* --- The random run ----------------------------------------------------------------------------------------------- */

#define SLOTS 700u
#define AREAS 3u
static unsigned model[AREAS][SLOTS]; /* users; SWAP_COUNT_BAD, SWAP_COUNT_LOST */
static bool enabled[AREAS];
static const int32_t priority[AREAS] = {1, 1, 0};

static uint64_t model_free(uint32_t area)
{
    uint64_t count = 0;
    for (uint32_t i = 1; i < SLOTS; i++)
        count += model[area][i] == 0;
    return count;
}

static void step_alloc(void)
{
    swap_slot slots[64];
    uint32_t want = (uint32_t)random_below(64) + 1, got = swap_map_alloc(&map, slots, want);
    int32_t best = INT32_MIN;
    for (uint32_t area = 0; area < AREAS; area++) {
        if (enabled[area] && model_free(area) && priority[area] > best)
            best = priority[area];
    }
    EXPECT((got == 0) == (best == INT32_MIN));
    if (got == 0)
        return;
    uint32_t area = swap_slot_area(slots[0]);
    EXPECT(area < AREAS && enabled[area] && priority[area] == best);
    uint64_t free_slots = model_free(area);
    EXPECT(got == (free_slots < want ? free_slots : want));
    for (uint32_t i = 0; i < got; i++) {
        uint64_t offset = swap_slot_offset(slots[i]);
        EXPECT(swap_slot_area(slots[i]) == area && offset > 0 && offset < SLOTS && model[area][offset] == 0);
        model[area][offset] = 1;
    }
}

static void step_put(uint32_t area, uint32_t offset)
{
    unsigned *count = &model[area][offset];
    int result = swap_map_put(&map, swap_slot_make(area, offset));
    if (offset == 0 || *count == 0 || *count == SWAP_COUNT_BAD) {
        EXPECT(result == -EINVAL);
    } else if (*count == SWAP_COUNT_LOST) {
        EXPECT(result == 1);
        *count = SWAP_COUNT_BAD;
    } else {
        EXPECT(result == (*count == 1));
        --*count;
    }
}

static void step(void)
{
    uint32_t area = (uint32_t)random_below(AREAS), offset = (uint32_t)random_below(SLOTS);
    unsigned *count = &model[area][offset];
    swap_slot slot = swap_slot_make(area, offset);
    switch (random_below(40)) {
    case 0:
        step_alloc();
        break;
    case 1:
        if (random_chance(2)) {
            EXPECT(swap_map_set_bad(&map, slot) == (offset ? 0 : -EINVAL));
            if (offset && *count <= 1)
                *count = *count ? SWAP_COUNT_LOST : SWAP_COUNT_BAD;
        }
        break;
    case 2:
        enabled[area] = random_chance(70);
        EXPECT(swap_map_enable(&map, area, enabled[area]) == 0);
        break;
    case 3: {
        uint64_t expected = offset ? offset : 1;
        while (expected < SLOTS && (model[area][expected] == 0 || model[area][expected] == SWAP_COUNT_BAD))
            expected++;
        EXPECT(swap_map_next_used(&map, area, offset) == (expected < SLOTS ? swap_slot_make(area, expected) : 0));
        break;
    }
    case 4:
    case 5:
        if (offset && *count > 0 && *count < SWAP_COUNT_MAX) {
            EXPECT(swap_map_get(&map, slot) == 0);
            ++*count;
        }
        break;
    default:
        step_put(area, offset);
    }
    EXPECT(swap_map_count(&map, slot) == (*count == SWAP_COUNT_LOST ? 1 : *count == SWAP_COUNT_BAD ? 0 : *count));
}

static void random_run(void)
{
    swap_map_init(&map);
    for (uint32_t area = 0; area < AREAS; area++) {
        EXPECT(add(SLOTS, priority[area]) == area);
        model[area][0] = SWAP_COUNT_BAD;
        enabled[area] = true;
    }
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step();
        if (test_step % 500 == 0)
            EXPECT(swap_map_check(&map) == 0);
        if (test_step % 5000 == 0) { /* the owner dies: all but the counts is lost */
            uint32_t area = (uint32_t)random_below(AREAS);
            uint64_t used = map.areas[area].used, bad = map.areas[area].bad;
            map.areas[area] = (struct swap_area){0};
            memset(memories[area], 0x5a, SWAP_CLUSTERS(SLOTS) * sizeof(struct swap_cluster));
            EXPECT(swap_map_recover(&map, area, memories[area], SLOTS, priority[area]) == 0);
            EXPECT(map.areas[area].used == used && map.areas[area].bad == bad && swap_map_check(&map) == 0);
            enabled[area] = true;
        }
    }
    for (uint32_t area = 0; area < AREAS; area++)
        free(memories[area]);
}

static void arguments(void)
{
    uint64_t memory[(SWAP_MAP_BYTES(300) + 7) / 8];
    swap_map_init(&map);
    EXPECT(swap_map_add(&map, memory, 1, 0) == -EINVAL && swap_map_add(&map, memory, 1UL << 32, 0) == -EINVAL);
    EXPECT(swap_map_remove(&map, 0) == -ENOENT && swap_map_remove(&map, SWAP_AREAS_MAX) == -ENOENT);
    memset(memory, 0, sizeof(memory));
    EXPECT(swap_map_recover(&map, 0, memory, 300, 0) == -EINVAL); /* no header */
    EXPECT(swap_map_add_at(&map, 2, memory, 300, 5) == 0 && swap_map_add_at(&map, 2, memory, 300, 5) == -EEXIST);
    EXPECT(swap_map_take(&map, swap_slot_make(2, 0)) == -EINVAL &&
           swap_map_take(&map, swap_slot_make(2, 300)) == -EINVAL);
    EXPECT(swap_map_take(&map, swap_slot_make(2, 17)) == 0 && swap_map_take(&map, swap_slot_make(2, 17)) == -EBUSY);
    EXPECT(swap_map_take(&map, swap_slot_make(1, 17)) == -EINVAL && swap_map_count(&map, swap_slot_make(2, 17)) == 1);
    EXPECT(swap_map_info(&map).used == 1 && swap_map_info(&map).total == 299 && swap_map_check(&map) == 0);
    EXPECT(swap_map_put(&map, swap_slot_make(2, 17)) == 1 && swap_map_remove(&map, 2) == 0);
    EXPECT(swap_map_add_at(&map, SWAP_AREAS_MAX, memory, 300, 0) == -EINVAL);
    EXPECT(swap_map_recover(&map, SWAP_AREAS_MAX, memory, 300, 0) == -EINVAL);
    for (uint32_t i = 0; i < SWAP_AREAS_MAX; i++)
        EXPECT(add(2, 0) == i);
    EXPECT(swap_map_add(&map, memory, 300, 0) == -ENOSPC && swap_map_recover(&map, 0, memory, 300, 0) == -EEXIST);
    map.areas[0].counts[1] = 1;
    EXPECT(swap_map_check(&map) == -EIO);
    map.areas[0].counts[1] = 0;
    for (uint32_t i = 0; i < SWAP_AREAS_MAX; i++)
        drop(i);
}

static const struct test_row rows[] = {
    {"arguments", "what makes no sense is refused; damage is found", arguments},
    {"clusters", "slots that are taken together lie together", clusters},
    {"last_slot", "every slot can be used, and one that was freed again", last_slot},
    {"priorities", "the highest priority is used first, equal ones in turn", priorities},
    {"users", "a slot is free when its last user is gone", users},
    {"bad_slots", "a bad slot is not used, or not used again", bad_slots},
    {"emptying", "all used slots of an area are found once", emptying},
    {"neighbours", "slots around one are found for reading ahead", neighbours},
    {"random_run", "the map holds what arrays hold, also after its owner died", random_run},
};

TEST_MAIN("swap_map", rows)
