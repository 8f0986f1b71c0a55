/* SPDX-License-Identifier: MIT */
/* Memory groups: limits of nested groups, whose turn it is, and a random run against a model that adds up anew. */
#include <errno.h>

#include <mm/memgroup.h>

#include "harness.h"

#define GROUPS 12u
static struct memgroup records[GROUPS];
static struct memgroups groups;

static uint32_t create(uint32_t parent)
{
    int64_t group = memgroup_create(&groups, parent);
    EXPECT(group > 0 && memgroup_check(&groups) == 0);
    return (uint32_t)group;
}

static void nested_limits(void)
{
    uint32_t over = 99;
    EXPECT(memgroup_init(&groups, records, 0) == -EINVAL && memgroup_init(&groups, records, GROUPS) == 0);
    uint32_t outer = create(MEMGROUP_ROOT), inner = create(outer), other = create(outer);
    EXPECT(memgroup_limit(&groups, MEMGROUP_ROOT, 1, 1) == -EINVAL && memgroup_limit(&groups, 11, 1, 1) == -EINVAL);
    EXPECT(memgroup_limit(&groups, outer, 100, 10) == 0 && memgroup_limit(&groups, inner, 70, 100) == 0);
    EXPECT(memgroup_charge(&groups, 11, MEMGROUP_ANON, 1, &over) == -EINVAL);
    EXPECT(memgroup_charge(&groups, inner, MEMGROUP_ANON, 71, &over) == -ENOMEM && over == inner);
    EXPECT(memgroup_charge(&groups, inner, MEMGROUP_ANON, 50, &over) == 0);
    EXPECT(memgroup_charge(&groups, inner, MEMGROUP_FILE, 20, NULL) == 0);
    EXPECT(memgroup_charge(&groups, other, MEMGROUP_FILE, 31, &over) == -ENOMEM && over == outer);
    EXPECT(memgroup_charge(&groups, other, MEMGROUP_FILE, 30, &over) == 0 && records[0].memory == 100);
    EXPECT(memgroup_charge(&groups, inner, MEMGROUP_SWAP, 11, &over) == -ENOMEM && over == outer);
    EXPECT(memgroup_charge(&groups, inner, MEMGROUP_SWAP, 10, &over) == 0 && records[outer].swap == 10);
    EXPECT(memgroup_limit(&groups, outer, 40, 10) == 0 && memgroup_excess(&groups, outer) == 60);
    EXPECT(memgroup_charge(&groups, other, MEMGROUP_FILE, 0, &over) == -ENOMEM && records[outer].refusals == 3);
    memgroup_charge_always(&groups, other, MEMGROUP_ANON, 5);
    EXPECT(memgroup_excess(&groups, outer) == 65 && records[outer].most == 105 && memgroup_check(&groups) == 0);
    EXPECT(memgroup_destroy(&groups, outer) == -EBUSY && memgroup_destroy(&groups, MEMGROUP_ROOT) == -EINVAL);
    EXPECT(memgroup_destroy(&groups, inner) == 0 && records[outer].own[MEMGROUP_ANON] == 50);
    EXPECT(memgroup_destroy(&groups, inner) == -EINVAL && memgroup_check(&groups) == 0);
    memgroup_uncharge(&groups, outer, MEMGROUP_ANON, 50);
    EXPECT(records[outer].memory == 55 && records[outer].most == 105 && memgroup_check(&groups) == 0);
}

static void depth(void)
{
    EXPECT(memgroup_init(&groups, records, GROUPS) == 0 && memgroup_create(&groups, 5) == -EINVAL);
    uint32_t group = MEMGROUP_ROOT;
    for (unsigned i = 1; i < MEMGROUP_DEPTH; i++)
        group = create(group);
    EXPECT(memgroup_create(&groups, group) == -EINVAL);
    for (unsigned i = MEMGROUP_DEPTH; i < GROUPS; i++)
        EXPECT(create(MEMGROUP_ROOT));
    EXPECT(memgroup_create(&groups, MEMGROUP_ROOT) == -ENOSPC);
    records[group].memory++;
    EXPECT(memgroup_check(&groups) == -EIO);
}

static void turns(void)
{
    EXPECT(memgroup_init(&groups, records, GROUPS) == 0);
    uint32_t a = create(MEMGROUP_ROOT), b = create(a), c = create(a), d = create(MEMGROUP_ROOT);
    EXPECT(memgroup_next(&groups, MEMGROUP_ROOT, MEMGROUP_NONE, true) == MEMGROUP_NONE);
    memgroup_charge_always(&groups, b, MEMGROUP_ANON, 10);
    memgroup_charge_always(&groups, c, MEMGROUP_FILE, 30);
    memgroup_charge_always(&groups, d, MEMGROUP_FILE, 60);
    EXPECT(memgroup_next(&groups, MEMGROUP_ROOT, MEMGROUP_NONE, true) == b);
    EXPECT(memgroup_next(&groups, MEMGROUP_ROOT, b, true) == c && memgroup_next(&groups, MEMGROUP_ROOT, c, true) == d);
    EXPECT(memgroup_next(&groups, MEMGROUP_ROOT, d, true) == b && memgroup_next(&groups, a, c, true) == b);
    EXPECT(memgroup_next(&groups, a, c, false) == c &&
           memgroup_next(&groups, b, MEMGROUP_NONE, false) == MEMGROUP_NONE);
    EXPECT(memgroup_share(&groups, a, b, 8) == 2 && memgroup_share(&groups, a, c, 8) == 6);
    EXPECT(memgroup_share(&groups, MEMGROUP_ROOT, b, 1) == 1 && memgroup_share(&groups, a, d, 8) == 0);
    EXPECT(memgroup_share(&groups, a, a, 8) == 0 && memgroup_is_in(&groups, b, a) && !memgroup_is_in(&groups, a, b));
}

/* --- The random run ----------------------------------------------------------------------------------------------- */

static struct {
    bool used;
    uint32_t parent;
    uint64_t own[MEMGROUP_KINDS], limit, swap_limit;
} model[GROUPS];

static bool model_is_in(uint32_t group, uint32_t outer)
{
    while (group != outer && group != MEMGROUP_NONE)
        group = model[group].parent;
    return group == outer;
}

static uint64_t model_has(uint32_t outer, bool swap)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < GROUPS; i++) {
        if (model[i].used && model_is_in(i, outer))
            sum += swap ? model[i].own[MEMGROUP_SWAP] : model[i].own[MEMGROUP_ANON] + model[i].own[MEMGROUP_FILE];
    }
    return sum;
}

static void step_charge(uint32_t group, enum memgroup_kind kind, uint64_t pages)
{
    uint32_t over = MEMGROUP_NONE, expected = MEMGROUP_NONE;
    bool swap = kind == MEMGROUP_SWAP;
    for (uint32_t i = group; i != MEMGROUP_NONE && expected == MEMGROUP_NONE; i = model[i].parent) {
        uint64_t limit = swap ? model[i].swap_limit : model[i].limit;
        if (limit != MEMGROUP_NO_LIMIT && model_has(i, swap) + pages > limit)
            expected = i;
    }
    EXPECT(memgroup_charge(&groups, group, kind, pages, &over) == (expected == MEMGROUP_NONE ? 0 : -ENOMEM));
    EXPECT(over == expected);
    model[group].own[kind] += expected == MEMGROUP_NONE ? pages : 0;
}

static void step_groups(uint32_t group)
{
    bool children = false;
    for (uint32_t i = 0; i < GROUPS; i++)
        children = children || (model[i].used && model[i].parent == group);
    if (random_chance(50)) {
        int64_t made = memgroup_create(&groups, group);
        if (made > 0) {
            EXPECT(!model[made].used);
            model[made].used = true;
            model[made].parent = group;
            model[made].limit = model[made].swap_limit = MEMGROUP_NO_LIMIT;
        }
        return;
    }
    int result = memgroup_destroy(&groups, group);
    EXPECT(result == (group == 0 ? -EINVAL : children ? -EBUSY : 0));
    if (result != 0)
        return;
    model[group].used = false;
    for (unsigned kind = 0; kind < MEMGROUP_KINDS; kind++) {
        model[model[group].parent].own[kind] += model[group].own[kind];
        model[group].own[kind] = 0;
    }
}

static void step(void)
{
    uint32_t group = (uint32_t)random_below(GROUPS);
    enum memgroup_kind kind = (enum memgroup_kind)random_below(MEMGROUP_KINDS);
    uint64_t pages = random_below(30);
    if (!model[group].used) {
        EXPECT(memgroup_charge(&groups, group, kind, pages, NULL) == -EINVAL);
    } else if (random_chance(50)) {
        step_charge(group, kind, pages);
    } else if (random_chance(80)) {
        pages = pages < model[group].own[kind] ? pages : model[group].own[kind];
        memgroup_uncharge(&groups, group, kind, pages);
        model[group].own[kind] -= pages;
    } else if (group && random_chance(50)) {
        model[group].limit = random_chance(50) ? random_below(200) : MEMGROUP_NO_LIMIT;
        model[group].swap_limit = random_chance(50) ? random_below(100) : MEMGROUP_NO_LIMIT;
        EXPECT(memgroup_limit(&groups, group, model[group].limit, model[group].swap_limit) == 0);
    } else {
        step_groups(group);
    }
    EXPECT(!model[group].used || groups.groups[group].memory == model_has(group, false));
}

static void random_run(void)
{
    EXPECT(memgroup_init(&groups, records, GROUPS) == 0);
    model[0].used = true;
    model[0].parent = MEMGROUP_NONE;
    model[0].limit = model[0].swap_limit = MEMGROUP_NO_LIMIT;
    for (test_step = 0; test_step < test_steps(); test_step++) {
        step();
        if (test_step % 100 == 0)
            EXPECT(memgroup_check(&groups) == 0);
    }
}

static const struct test_row rows[] = {
    {"nested_limits", "the innermost limit that does not allow a charge refuses it", nested_limits},
    {"depth", "groups are nested and numbered within bounds; damage is found", depth},
    {"turns", "groups give pages up in turn, each its part", turns},
    {"random_run", "sums are what adding up anew gives", random_run},
};

TEST_MAIN("memgroup", rows)
