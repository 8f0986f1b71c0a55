/* SPDX-License-Identifier: MIT */
/* The early allocator: directed cases, and rounds against an array with an entry a kibibyte. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <mm/memblock.h>

#include "harness.h"

#define UNIT            1024u
#define UNITS           1024u
#define STEPS_PER_ROUND 200u

static struct memblock memblock;

static void add_merges(void)
{
    memblock_init(&memblock);
    EXPECT(memblock_add(&memblock, 0x3000, 0x1000) == 0 && memblock_add(&memblock, 0x1000, 0x1000) == 0);
    EXPECT(memblock.memory.count == 2);
    EXPECT(memblock_add(&memblock, 0x2000, 0x1000) == 0 && memblock.memory.count == 1);
    EXPECT(memblock_add(&memblock, 0x1800, 0x100) == 0 && memblock.memory.count == 1);
    EXPECT(memblock_add(&memblock, 0x0, 0x10000) == 0 && memblock.memory.count == 1);
    EXPECT(memblock.memory.regions[0].base == 0 && memblock.memory.regions[0].size == 0x10000);
    EXPECT(memblock_memory_size(&memblock) == 0x10000 && memblock_check(&memblock) == 0);
}

static void bad_ranges(void)
{
    memblock_init(&memblock);
    EXPECT(memblock_add(&memblock, 0x1000, 0) == -EINVAL);
    EXPECT(memblock_add(&memblock, UINT64_MAX, 1) == -EINVAL);
    EXPECT(memblock_reserve(&memblock, UINT64_MAX - 0xfff, 0x2000) == -EINVAL);
    EXPECT(memblock_reserve(&memblock, 1, UINT64_MAX) == -EINVAL);
    EXPECT(memblock_add(&memblock, 0, UINT64_MAX) == 0 && memblock_check(&memblock) == 0);
    uint64_t base = 7;
    struct memblock_request request = {.size = 0, .alignment = 1};
    EXPECT(memblock_alloc(&memblock, &request, &base) == -EINVAL);
    request = (struct memblock_request){.size = 1, .alignment = 3};
    EXPECT(memblock_alloc(&memblock, &request, &base) == -EINVAL);
    request = (struct memblock_request){.size = UINT64_MAX, .alignment = 1, .low = 1};
    EXPECT(memblock_alloc(&memblock, &request, &base) == -ENOMEM && base == 7);
}

static void full_arrays(void)
{
    uint64_t base = 0;
    memblock_init(&memblock);
    for (uint64_t i = 0; i < MEMBLOCK_REGIONS_MAX; i++)
        EXPECT(memblock_reserve(&memblock, i * 0x4000, 0x1000) == 0);
    EXPECT(memblock_reserve(&memblock, MEMBLOCK_REGIONS_MAX * 0x4000, 1) == -ENOSPC);
    EXPECT(memblock_add(&memblock, 0, MEMBLOCK_REGIONS_MAX * 0x4000) == 0);
    struct memblock_request middle = {.size = 0x1000, .alignment = 0x1000, .low = 0x2000, .high = 0x3000};
    EXPECT(memblock_alloc(&memblock, &middle, &base) == -ENOSPC && memblock_check(&memblock) == 0);
    middle.low = 0x1000; /* touches a region, so it needs no place of its own */
    middle.high = 0x2000;
    EXPECT(memblock_alloc(&memblock, &middle, &base) == 0 && base == 0x1000);
    EXPECT(memblock_reserve(&memblock, 0x2000, 0x2000) == 0 && memblock.reserved.count == MEMBLOCK_REGIONS_MAX - 1);
    EXPECT(memblock_reserve(&memblock, MEMBLOCK_REGIONS_MAX * 0x4000, 1) == 0 && memblock_check(&memblock) == 0);
}

static void whole_pages(void)
{
    uint64_t cursor = 0;
    struct memblock_region region;
    memblock_init(&memblock);
    EXPECT(memblock_add(&memblock, 0x10800, 0x1000) == 0); /* no whole page */
    EXPECT(memblock_add(&memblock, 0x20800, 0x4000) == 0);
    EXPECT(memblock_reserve(&memblock, 0x22fff, 2) == 0);
    EXPECT(memblock_next_free_pages(&memblock, &cursor, &region) && region.base == 0x21000 && region.size == 0x1000);
    EXPECT(memblock_next_free_pages(&memblock, &cursor, &region) == false);
    EXPECT(memblock_reserved_size(&memblock) == 2);
}

/* The model. */
static bool exists[UNITS], reserved[UNITS];

static void step_range(bool *model, int (*call)(struct memblock *, uint64_t, uint64_t))
{
    uint64_t first = random_below(UNITS), count = 1 + random_below(random_chance(90) ? 12 : 200);
    if (first + count > UNITS)
        count = UNITS - first;
    struct memblock before = memblock;
    int error = call(&memblock, first * UNIT, count * UNIT);
    EXPECT(error == 0 || error == -ENOSPC);
    if (error == 0)
        memset(&model[first], true, count);
    else
        EXPECT(before.memory.count == memblock.memory.count && before.reserved.count == memblock.reserved.count);
}

static int add_range(struct memblock *to, uint64_t base, uint64_t size)
{
    return memblock_add(to, base, size);
}

static int reserve_range(struct memblock *to, uint64_t base, uint64_t size)
{
    return memblock_reserve(to, base, size);
}

static bool model_fits(uint64_t first, uint64_t count, uint64_t low, uint64_t high)
{
    if (first < low || first + count > high)
        return false;
    for (uint64_t i = first; i < first + count; i++) {
        if (!exists[i] || reserved[i])
            return false;
    }
    return true;
}

static void step_alloc(void)
{
    uint64_t count = 1 + random_below(16), align = 1UL << random_below(5);
    uint64_t low = random_chance(50) ? 0 : random_below(UNITS), high = random_chance(50) ? UNITS : random_below(UNITS);
    struct memblock_request request = {
        .size = count * UNIT, .alignment = align * UNIT, .low = low * UNIT, .high = high == UNITS ? 0 : high * UNIT};
    if (request.high == 0)
        high = UNITS;
    int64_t expected = (int64_t)align_down(UNITS - count, align);
    while (expected >= 0 && !model_fits((uint64_t)expected, count, low, high))
        expected -= (int64_t)align;
    uint64_t base;
    int error = memblock_alloc(&memblock, &request, &base);
    if (expected < 0) {
        EXPECT(error == -ENOMEM);
        return;
    }
    if (error == -ENOSPC) {
        EXPECT(memblock.reserved.count == MEMBLOCK_REGIONS_MAX);
        return;
    }
    EXPECT(error == 0 && base == (uint64_t)expected * UNIT);
    memset(&reserved[expected], true, count);
}

static void verify(void)
{
    uint64_t cursor = 0, unit = 0, existing = 0, taken = 0;
    struct memblock_region region;
    EXPECT(memblock_check(&memblock) == 0);
    while (memblock_next_free(&memblock, &cursor, &region)) {
        for (; unit * UNIT < region.base; unit++)
            EXPECT(!exists[unit] || reserved[unit]);
        for (; unit * UNIT < region.base + region.size; unit++)
            EXPECT(exists[unit] && !reserved[unit]);
    }
    for (; unit < UNITS; unit++)
        EXPECT(!exists[unit] || reserved[unit]);
    for (unit = 0; unit < UNITS; unit++) {
        existing += exists[unit];
        taken += exists[unit] && reserved[unit];
    }
    EXPECT(memblock_memory_size(&memblock) == existing * UNIT && memblock_reserved_size(&memblock) == taken * UNIT);
}

static void random_model(void)
{
    for (test_step = 0; test_step < test_steps(); test_step++) {
        if (test_step % STEPS_PER_ROUND == 0) {
            memblock_init(&memblock);
            memset(exists, 0, sizeof(exists));
            memset(reserved, 0, sizeof(reserved));
        }
        uint64_t choice = random_below(10);
        if (choice < 4)
            step_range(exists, add_range);
        else if (choice < 6)
            step_range(reserved, reserve_range);
        else
            step_alloc();
        verify();
    }
}

static const struct test_row rows[] = {
    {"add_merges", "overlapping and touching ranges become one", add_merges},
    {"bad_ranges", "empty and wrapping ranges and bad alignments are refused", bad_ranges},
    {"full_arrays", "a full array refuses what needs a further place and nothing else", full_arrays},
    {"whole_pages", "the walk over pages rounds inwards", whole_pages},
    {"random_model", "memory, reservations and allocations agree with the model after each step", random_model},
};
TEST_MAIN("memblock", rows)
