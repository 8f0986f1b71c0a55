/* SPDX-License-Identifier: MIT */
/* The radix index: keys of every size, marks, failing nodes, and a long random run against an array. */
#include <errno.h>
#include <stdlib.h>

#include <mm/index.h>

#include "harness.h"

static uint64_t nodes_held, nodes_asked, fail_at;

static void *get_node(void *context)
{
    (void)context;
    if (nodes_asked++ == fail_at)
        return NULL;
    nodes_held++;
    return malloc(sizeof(struct index_node));
}

static void put_node(void *context, void *node)
{
    (void)context;
    nodes_held--;
    free(node);
}

static const struct index_source source = {get_node, put_node, NULL};
static struct radix_index tree;

static void begin(void)
{
    nodes_held = nodes_asked = 0;
    fail_at = UINT64_MAX;
    index_init(&tree, &source);
}

static void *entry_of(uint64_t key)
{
    return (void *)(uintptr_t)(key * 2 + 1 ? key * 2 + 1 : 1);
}

static void erase_all(void)
{
    for (uint64_t key = 0; index_next(&tree, &key, UINT64_MAX);)
        EXPECT(index_erase(&tree, key));
    EXPECT(tree.count == 0 && tree.root == NULL && nodes_held == 0);
}

static const uint64_t keys[] = {
    0,         1, 63, 64, 4095, 4096, 262143, 262144, 1UL << 32, (1UL << 60) - 1, 1UL << 60, 1UL << 63, UINT64_MAX - 1,
    UINT64_MAX};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void every_size(void)
{
    begin();
    for (size_t order = 0; order < 2; order++) {
        for (size_t i = 0; i < KEYS; i++) {
            uint64_t key = keys[order ? KEYS - 1 - i : i];
            EXPECT(!index_find(&tree, key) && index_insert(&tree, key, entry_of(key)) == 0);
            EXPECT(index_insert(&tree, key, entry_of(key)) == -EEXIST && index_check(&tree) == 0);
        }
        uint64_t key = 0;
        for (size_t i = 0; i < KEYS; i++, key++) {
            EXPECT(index_next(&tree, &key, UINT64_MAX) == entry_of(keys[i]) && key == keys[i]);
            EXPECT(index_find(&tree, keys[i]) == entry_of(keys[i]));
        }
        for (size_t i = 0; i < KEYS; i++)
            EXPECT(index_erase(&tree, keys[i]) == entry_of(keys[i]) && index_check(&tree) == 0);
        EXPECT(nodes_held == 0);
    }
    EXPECT(index_insert(&tree, 5, NULL) == -EINVAL && !index_erase(&tree, 5) && !index_replace(&tree, 5, &tree));
}

static void single_nodes(void)
{
    begin();
    EXPECT(index_insert(&tree, 7, entry_of(7)) == 0 && nodes_held == 1);
    EXPECT(index_insert(&tree, 64, entry_of(64)) == 0 && nodes_held == 3);
    EXPECT(index_erase(&tree, 64) && nodes_held == 1);
    EXPECT(index_replace(&tree, 7, &tree) == entry_of(7) && index_find(&tree, 7) == &tree);
    erase_all();
}

static void range_ends(void)
{
    uint64_t key = 5;
    begin();
    EXPECT(!index_next(&tree, &key, UINT64_MAX) && key == 5);
    EXPECT(index_insert(&tree, 100, entry_of(100)) == 0 && index_insert(&tree, 5000, entry_of(5000)) == 0);
    EXPECT(!index_next(&tree, &key, 99) && key == 5);
    EXPECT(index_next(&tree, &key, 100) && key == 100);
    key = 101;
    EXPECT(!index_next(&tree, &key, 4999) && key == 101);
    EXPECT(index_next(&tree, &key, 5000) && key == 5000);
    key = 5001;
    EXPECT(!index_next(&tree, &key, UINT64_MAX));
    erase_all();
}

static void marks(void)
{
    uint64_t key = 0;
    begin();
    for (size_t i = 0; i < KEYS; i++)
        EXPECT(index_insert(&tree, keys[i], entry_of(keys[i])) == 0);
    EXPECT(!index_set_mark(&tree, 2, INDEX_MARK_0) && !index_clear_mark(&tree, 2, INDEX_MARK_0));
    EXPECT(!index_next_marked(&tree, INDEX_MARK_0, &key, UINT64_MAX));
    EXPECT(index_set_mark(&tree, 4096, INDEX_MARK_0) && index_set_mark(&tree, UINT64_MAX, INDEX_MARK_0));
    EXPECT(index_set_mark(&tree, 0, INDEX_MARK_1) && index_check(&tree) == 0);
    EXPECT(index_next_marked(&tree, INDEX_MARK_0, &key, UINT64_MAX) && key == 4096);
    key++;
    EXPECT(index_next_marked(&tree, INDEX_MARK_0, &key, UINT64_MAX) && key == UINT64_MAX);
    EXPECT(index_has_mark(&tree, 0, INDEX_MARK_1) && !index_has_mark(&tree, 1, INDEX_MARK_1));
    EXPECT(index_clear_mark(&tree, 4096, INDEX_MARK_0) && !index_has_mark(&tree, 4096, INDEX_MARK_0));
    EXPECT(index_erase(&tree, UINT64_MAX) && index_check(&tree) == 0);
    key = 0;
    EXPECT(!index_next_marked(&tree, INDEX_MARK_0, &key, UINT64_MAX));
    erase_all();
}

/* Each insertion with each of its nodes missing in turn. */
static void failing_nodes(void)
{
    for (size_t base = 0; base <= KEYS; base++) {
        for (size_t i = 0; i < KEYS; i++) {
            int result = -ENOMEM;
            if (i == base)
                continue;
            for (uint64_t at = 0; result == -ENOMEM; at++) {
                begin();
                if (base < KEYS)
                    EXPECT(index_insert(&tree, keys[base], entry_of(keys[base])) == 0);
                uint64_t held = nodes_held;
                nodes_asked = 0;
                fail_at = at;
                result = index_insert(&tree, keys[i], entry_of(keys[i]));
                EXPECT(result == 0 || (result == -ENOMEM && nodes_held == held && !index_find(&tree, keys[i])));
                EXPECT(index_check(&tree) == 0 && tree.count == (base < KEYS ? 1u : 0u) + (result == 0 ? 1u : 0u));
                erase_all();
            }
        }
    }
}

/* --- The random run ----------------------------------------------------------------------------------------------- */

#define MODEL_KEYS 440u
#define RUN_MAX    200u
static struct {
    void *entry;
    bool marks[INDEX_MARK_COUNT];
} model[MODEL_KEYS];

/* Spreads the model's keys: some close together, some far apart, in the same order. */
static uint64_t key_of(uint64_t place)
{
    return place < 300 ? place : place < 400 ? 100000 + place * 61 : (place - 399) << 56 | place;
}

static uint64_t place_at_least(uint64_t key)
{
    uint64_t place = 0;
    while (place < MODEL_KEYS && key_of(place) < key)
        place++;
    return place;
}

static void step_next(void)
{
    uint64_t first = random_below(MODEL_KEYS), last = random_below(MODEL_KEYS), key = key_of(first);
    int mark = (int)random_below(INDEX_MARK_COUNT + 1) - 1;
    if (random_chance(20))
        key -= key != 0;
    uint64_t place = place_at_least(key);
    while (place <= last && (mark < 0 ? !model[place].entry : !model[place].marks[mark]))
        place++;
    uint64_t found = key;
    void *entry = mark < 0 ? index_next(&tree, &found, key_of(last))
                           : index_next_marked(&tree, (enum index_mark)mark, &found, key_of(last));
    if (place > last)
        EXPECT(!entry && found == key);
    else
        EXPECT(entry == model[place].entry && found == key_of(place));
}

/* Reads a run that begins a little below a key of the model, and asks for each key alone, too. */
static void step_read(void)
{
    void *entries[RUN_MAX];
    const uint64_t key = key_of(random_below(MODEL_KEYS - 1)), below = random_below(RUN_MAX),
                   count = random_below(RUN_MAX + 1);
    const uint64_t first = key > below ? key - below : 0;

    index_read(&tree, first, count, entries);
    for (uint64_t i = 0; i < count; i++)
        EXPECT(entries[i] == index_find(&tree, first + i));
}

static void step(void)
{
    uint64_t place = random_below(MODEL_KEYS), key = key_of(place);
    unsigned mark = (unsigned)random_below(INDEX_MARK_COUNT);
    fail_at = random_chance(10) ? nodes_asked + random_below(3) : UINT64_MAX;
    switch (random_below(7)) {
    case 0:
    case 1: {
        void *entry = entry_of(random_next());
        int result = index_insert(&tree, key, entry);
        EXPECT(result == (model[place].entry ? -EEXIST : 0) || (result == -ENOMEM && !model[place].entry));
        if (result == 0)
            model[place].entry = entry;
        break;
    }
    case 2:
        EXPECT(index_erase(&tree, key) == model[place].entry);
        model[place].entry = NULL;
        for (unsigned i = 0; i < INDEX_MARK_COUNT; i++)
            model[place].marks[i] = false;
        break;
    case 3:
        EXPECT(index_set_mark(&tree, key, (enum index_mark)mark) == (model[place].entry != NULL));
        model[place].marks[mark] = model[place].entry != NULL;
        break;
    case 4:
        EXPECT(index_clear_mark(&tree, key, (enum index_mark)mark) == (model[place].entry != NULL));
        model[place].marks[mark] = false;
        break;
    case 5:
        step_read();
        break;
    default:
        step_next();
    }
    EXPECT(index_find(&tree, key) == model[place].entry);
    EXPECT(index_has_mark(&tree, key, (enum index_mark)mark) == model[place].marks[mark]);
}

static void random_run(void)
{
    begin();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step();
        if (test_step % 500 == 0)
            EXPECT(index_check(&tree) == 0);
    }
    fail_at = UINT64_MAX;
    erase_all();
}

static const struct test_row rows[] = {
    {"every_size", "keys from 0 to the largest come and go in both orders", every_size},
    {"single_nodes", "an index is as high as it must be", single_nodes},
    {"range_ends", "a search ends at its last key", range_ends},
    {"marks", "marks are found, cleared and lost with their entries", marks},
    {"failing_nodes", "an insertion without memory changes nothing", failing_nodes},
    {"random_run", "the index holds what an array holds", random_run},
};

TEST_MAIN("index", rows)
