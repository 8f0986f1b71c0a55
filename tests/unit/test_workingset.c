/* SPDX-License-Identifier: MIT */
/* Refault distances, and the table of shadows against a model that knows the order of all that was stored. */
#include <errno.h>

#include <mm/workingset.h>

#include "harness.h"

#define PAGES 64u
static struct lru_page pages[PAGES];
static struct lru_vector vectors[2];
static struct lru lru;

static void begin(uint64_t active_file)
{
    EXPECT(lru_init(&lru, pages, 0, PAGES, vectors, 2) == 0);
    for (uint64_t i = 0; i < active_file; i++)
        EXPECT(lru_add(&lru, i, 1, LRU_FILE | LRU_ACTIVE, true) == 0);
}

static void distances(void)
{
    struct workingset_refault refault;
    begin(10);
    workingset_shadow shadow = workingset_evict(&lru, 1, LRU_FILE);
    for (unsigned i = 0; i < 9; i++)
        EXPECT(workingset_evict(&lru, 1, LRU_FILE) != WORKINGSET_NO_SHADOW);
    EXPECT(workingset_judge(&lru, shadow, true, false, &refault) == 0);
    EXPECT(refault.distance == 10 && refault.activate && !refault.was_workingset && vectors[1].nonresident_age == 11);
    EXPECT(workingset_judge(&lru, shadow, true, false, &refault) == 0 && refault.distance == 11 && !refault.activate);
    EXPECT(vectors[1].nonresident_age == 11 && vectors[0].nonresident_age == 0);
}

static void who_could_have_gone(void)
{
    struct workingset_refault refault;
    begin(2);
    EXPECT(lru_add(&lru, 10, 1, LRU_FILE, true) == 0); /* one inactive file page, one anonymous page of each list */
    EXPECT(lru_add(&lru, 11, 1, 0, true) == 0 && lru_add(&lru, 12, 1, LRU_ACTIVE, true) == 0);
    static const struct {
        bool file, can_swap;
        uint64_t last; /* the largest distance that activates */
    } rows[] = {{true, false, 2}, {true, true, 4}, {false, false, 3}, {false, true, 4}};
    for (unsigned i = 0; i < 4; i++) {
        for (uint64_t distance = 1; distance <= 6; distance++) {
            workingset_shadow shadow = workingset_evict(&lru, 1, 0);
            for (uint64_t more = 1; more < distance; more++)
                EXPECT(workingset_evict(&lru, 1, 0) != 0);
            EXPECT(workingset_judge(&lru, shadow, rows[i].file, rows[i].can_swap, &refault) == 0);
            EXPECT(refault.distance == distance && refault.activate == (distance <= rows[i].last));
        }
    }
}

static void shadows(void)
{
    struct workingset_refault refault;
    begin(0);
    EXPECT(workingset_judge(&lru, 0, true, true, &refault) == -EINVAL);
    EXPECT(workingset_judge(&lru, 1u | 2u << 8, true, true, &refault) == -EINVAL); /* no such vector */
    EXPECT(workingset_judge(&lru, 1u | 8u, true, true, &refault) == -EINVAL);
    workingset_shadow shadow = workingset_evict(&lru, 0, LRU_WORKINGSET);
    EXPECT(workingset_judge(&lru, shadow, true, true, &refault) == 0 && refault.was_workingset);
    vectors[0].nonresident_age = (1UL << 40) - 1; /* the clock wraps between eviction and refault */
    shadow = workingset_evict(&lru, 0, 0);
    EXPECT(workingset_judge(&lru, shadow, true, true, &refault) == 0 && refault.distance == 1);
}

/* --- The table ---------------------------------------------------------------------------------------------------- */

#define ENTRIES 64u
#define OBJECTS 8u
#define INDEXES 24u
static struct shadow_entry entries[ENTRIES];
static struct shadow_table table;
static workingset_shadow model[OBJECTS][INDEXES];
static uint64_t model_stored[OBJECTS][INDEXES];

static void table_arguments(void)
{
    EXPECT(shadow_table_init(&table, entries, SHADOW_WAYS - 1) == -EINVAL);
    EXPECT(shadow_table_init(&table, entries, 40) == 0 && table.sets == 8 && shadow_table_check(&table) == 0);
    shadow_table_put(&table, 1, 2, 5);
    shadow_table_put(&table, 1, 2, 7);
    EXPECT(table.used == 1 && shadow_table_take(&table, 1, 3) == 0 && shadow_table_take(&table, 2, 2) == 0);
    EXPECT(shadow_table_take(&table, 1, 2) == 7 && shadow_table_take(&table, 1, 2) == 0 && table.used == 0);
    shadow_table_put(&table, 1, 2, 5);
    table.entries[0] = (struct shadow_entry){.object = 1, .index = 2, .shadow = 5};
    table.entries[table.sets * SHADOW_WAYS - 1] = (struct shadow_entry){.object = 1, .index = 2, .shadow = 5};
    EXPECT(shadow_table_check(&table) == -EIO);
}

/* Forgets in the model what the table has forgotten; there may be only as many as it says, and they are older than what
 * it has. */
static void take_all(void)
{
    uint64_t held = 0, kept = 0;
    for (unsigned object = 0; object < OBJECTS; object++) {
        for (unsigned index = 0; index < INDEXES; index++) {
            workingset_shadow shadow = shadow_table_take(&table, object, index);
            held += model[object][index] != 0;
            kept += shadow != 0;
            EXPECT(shadow == 0 || shadow == model[object][index]);
            model[object][index] = 0;
        }
    }
    EXPECT(held - kept == table.forgotten && table.used == 0);
    table.forgotten = 0;
}

/* Forgets one object: what the model has more of it had made way before. */
static void forget(unsigned object)
{
    uint64_t before = table.used, held = 0;
    shadow_table_forget(&table, object);
    for (unsigned index = 0; index < INDEXES; index++) {
        held += model[object][index] != 0;
        model[object][index] = 0;
        EXPECT(shadow_table_take(&table, object, index) == WORKINGSET_NO_SHADOW);
    }
    EXPECT(held >= before - table.used && held - (before - table.used) <= table.forgotten);
    table.forgotten -= held - (before - table.used);
}

static void step(void)
{
    unsigned object = (unsigned)random_below(OBJECTS), index = (unsigned)random_below(INDEXES);
    workingset_shadow *expected = &model[object][index], shadow;
    if (random_chance(1)) {
        forget(object);
    } else if (random_chance(50)) {
        shadow = shadow_table_take(&table, object, index);
        EXPECT(shadow == WORKINGSET_NO_SHADOW || shadow == *expected);
        if (shadow == WORKINGSET_NO_SHADOW && *expected) { /* only the oldest of a set make way */
            EXPECT(table.forgotten-- > 0 && test_step - model_stored[object][index] >= SHADOW_WAYS);
        }
        *expected = WORKINGSET_NO_SHADOW;
    } else {
        shadow = random_next() | 1;
        bool known = *expected != WORKINGSET_NO_SHADOW;
        uint64_t used = table.used, forgotten = table.forgotten;
        shadow_table_put(&table, object, index, shadow);
        if (known && table.used + table.forgotten != used + forgotten)
            table.forgotten--; /* this one had made way before */
        *expected = shadow;
        model_stored[object][index] = test_step;
    }
}

static void random_table(void)
{
    EXPECT(shadow_table_init(&table, entries, ENTRIES) == 0);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step();
        if (test_step % 500 == 0)
            EXPECT(shadow_table_check(&table) == 0);
        if (test_step % 3000 == 0)
            take_all();
    }
}

static const struct test_row rows[] = {
    {"distances", "a refault's distance is what was evicted in between", distances},
    {"who_could_have_gone", "a page is activated if the working set is at least as large", who_could_have_gone},
    {"shadows", "other words are no shadows; flags and a wrapped clock survive", shadows},
    {"table_arguments", "a page has one shadow; damage is found", table_arguments},
    {"random_table", "the table returns what was stored or has counted what it forgot", random_table},
};

TEST_MAIN("workingset", rows)
