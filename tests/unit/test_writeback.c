/* SPDX-License-Identifier: MIT */
/* Limits, ages and runs of dirty pages; the set of dirty objects against an array. */
#include <errno.h>

#include <mm/writeback.h>

#include "harness.h"

static void limits(void)
{
    struct writeback_policy policy;
    writeback_policy_init(&policy);
    struct writeback_limits found = writeback_limits(&policy, 10000);
    EXPECT(found.background == 1000 && found.hard == 2000);
    policy.background_ratio = 30;
    found = writeback_limits(&policy, 10000);
    EXPECT(found.background == 1000 && found.hard == 2000);
    policy.pages = 500;
    policy.background_pages = 100;
    found = writeback_limits(&policy, 10000);
    EXPECT(found.background == 100 && found.hard == 500);
    policy.pages = policy.background_pages = 0;
    found = writeback_limits(&policy, 0);
    EXPECT(found.background == 1 && found.hard == 2);
}

static void pauses(void)
{
    const struct writeback_limits found = {.background = 1000, .hard = 2000};
    uint32_t before = 0;
    EXPECT(writeback_pause(&found, 1500) == 0 && writeback_pause(&found, 1501) == 1);
    for (uint64_t dirty = 1400; dirty < 2100; dirty++) {
        uint32_t pause = writeback_pause(&found, dirty);
        EXPECT(pause >= before && pause <= WRITEBACK_PAUSE_MAX_MS);
        before = pause;
    }
    EXPECT(writeback_pause(&found, 2000) == WRITEBACK_PAUSE_MAX_MS && writeback_pause(&found, 1999) < 200);
}

#define ENTRIES 16u
static struct writeback_entry entries[ENTRIES];
static uint32_t buckets[ENTRIES];
static struct writeback_set set;

static void ages(void)
{
    uint64_t object = 0;
    EXPECT(writeback_set_init(&set, entries, buckets, 0) == -EINVAL);
    EXPECT(writeback_set_init(&set, entries, buckets, 2) == 0 && !writeback_next(&set, 1000, 0, &object));
    EXPECT(writeback_dirtied(&set, 7, 0, 100) == -EINVAL);
    EXPECT(writeback_dirtied(&set, 7, 1, 100) == 0 && writeback_dirtied(&set, 8, 5, 200) == 0);
    EXPECT(writeback_dirtied(&set, 7, 2, 300) == 0 && writeback_dirtied(&set, 9, 1, 300) == -ENOSPC);
    EXPECT(!writeback_next(&set, 129, 30, &object) && writeback_next(&set, 130, 30, &object) && object == 7);
    EXPECT(!writeback_next(&set, 50, 0, &object)); /* a clock that was behind */
    writeback_cleaned(&set, 7, 2, 400);            /* one is left: it waits behind the other */
    EXPECT(writeback_next(&set, 500, 30, &object) && object == 8 && writeback_dirty(&set, 7) == 1);
    writeback_cleaned(&set, 8, 100, 400);
    EXPECT(set.dirty == 1 && writeback_dirty(&set, 8) == 0 && writeback_next(&set, 500, 100, &object) && object == 7);
    EXPECT(!writeback_next(&set, 499, 100, &object) && writeback_check(&set) == 0);
    writeback_cleaned(&set, 99, 1, 400);
    writeback_cleaned(&set, 7, 0, 900);
    EXPECT(writeback_next(&set, 500, 100, &object) && writeback_check(&set) == 0);
    set.dirty++;
    EXPECT(writeback_check(&set) == -EIO);
}

#define OBJECTS 40u
static struct {
    uint64_t dirty, since, order;
} model[OBJECTS];

static void step(uint64_t now)
{
    static uint64_t order;
    unsigned object = (unsigned)random_below(OBJECTS), used = 0, oldest = OBJECTS;
    uint64_t pages = 1 + random_below(5), found = OBJECTS;
    for (unsigned i = 0; i < OBJECTS; i++) {
        used += model[i].dirty > 0;
        if (model[i].dirty > 0 && (oldest == OBJECTS || model[i].order < model[oldest].order))
            oldest = i;
    }
    EXPECT(writeback_next(&set, now, 50, &found) == (oldest < OBJECTS && now - model[oldest].since >= 50));
    EXPECT(found == OBJECTS || found == oldest);
    if (random_chance(55)) {
        int result = writeback_dirtied(&set, object, pages, now);
        EXPECT(result == (model[object].dirty == 0 && used == ENTRIES ? -ENOSPC : 0));
        if (result == 0 && model[object].dirty == 0) {
            model[object].since = now;
            model[object].order = ++order;
        }
        model[object].dirty += result == 0 ? pages : 0;
    } else {
        writeback_cleaned(&set, object, pages, now);
        model[object].dirty -= pages < model[object].dirty ? pages : model[object].dirty;
        model[object].since = now;
        model[object].order = ++order;
    }
    EXPECT(writeback_dirty(&set, object) == model[object].dirty);
}

static void random_run(void)
{
    uint64_t now = 0;
    EXPECT(writeback_set_init(&set, entries, buckets, ENTRIES) == 0);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        now += random_below(10);
        step(now);
        if (test_step % 200 == 0)
            EXPECT(writeback_check(&set) == 0);
    }
}

static void runs(void)
{
    struct writeback_page pages[] = {{10, 1, 0}, {5, 2, 0}, {11, 3, 0}, {6, 4, 0}, {7, 5, 0}, {20, 6, 0}, {8, 7, 0}};
    struct writeback_run found[8];
    writeback_sort(pages, 7);
    EXPECT(pages[0].block == 5 && pages[0].pfn == 2 && pages[6].block == 20 && pages[6].pfn == 6);
    EXPECT(writeback_runs(pages, 7, 16, found, 8) == 3 && found[0].first == 0 && found[0].count == 4);
    EXPECT(found[1].first == 4 && found[1].count == 2 && found[2].first == 6 && found[2].count == 1);
    EXPECT(writeback_runs(pages, 7, 3, found, 8) == 4 && found[0].count == 3 && found[1].count == 1);
    EXPECT(writeback_runs(pages, 7, 16, found, 1) == 1 && found[0].count == 4);
    EXPECT(writeback_runs(pages, 0, 16, found, 8) == 0);
    writeback_sort(pages, 0);
}

/* Sorted, nothing lost, and every run as long as it can be. */
static void random_runs(void)
{
    struct writeback_page pages[64];
    struct writeback_run found[64];
    for (test_step = 0; test_step < test_steps() / 50; test_step++) {
        uint32_t count = (uint32_t)random_below(65), longest = 1 + (uint32_t)random_below(20), covered = 0;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            pages[i] = (struct writeback_page){.block = random_below(100), .pfn = random_next()};
            sum += pages[i].pfn ^ pages[i].block;
        }
        writeback_sort(pages, count);
        for (uint32_t i = 0; i < count; i++) {
            sum -= pages[i].pfn ^ pages[i].block;
            EXPECT(i == 0 || pages[i - 1].block <= pages[i].block);
        }
        uint32_t number = writeback_runs(pages, count, longest, found, 64);
        for (uint32_t run = 0; run < number; run++) {
            EXPECT(found[run].first == covered && found[run].count >= 1 && found[run].count <= longest);
            for (uint32_t i = covered + 1; i < covered + found[run].count; i++)
                EXPECT(pages[i].block == pages[i - 1].block + 1);
            covered += found[run].count;
            EXPECT(covered == count || found[run].count == longest ||
                   pages[covered].block != pages[covered - 1].block + 1);
        }
        EXPECT(covered == count && sum == 0);
    }
}

static const struct test_row rows[] = {
    {"limits", "ratios or numbers say when writing begins and when writers wait", limits},
    {"pauses", "writers wait the longer the closer the limit is", pauses},
    {"ages", "the object that has been dirty for longest is the next", ages},
    {"random_run", "the set holds what an array holds", random_run},
    {"runs", "pages that lie together go out together", runs},
    {"random_runs", "runs cover all pages once and are as long as they can be", random_runs},
};

TEST_MAIN("writeback", rows)
