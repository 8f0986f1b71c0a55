/* SPDX-License-Identifier: MIT */
/* Capabilities and their tables against a model: who names what, with which rights, in which slot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cap.h>

#include "harness.h"

#define TABLES           3u
#define TABLE_FRAMES     4u /* at most, in the randomized row */
#define OBJECTS          24u
#define SLOTS_MAX        (TABLE_FRAMES * SLOTS_PER_FRAME)
#define NOTHING          UINT32_MAX
#define SOME_BADGE       77u
#define RIGHTS_BOTH_WAYS (RIGHT_SEND | RIGHT_RECEIVE)

static struct cap_table tables[TABLES];
static struct object objects[OBJECTS];

/* The model of a slot. */
struct model_cap {
    uint32_t object; /* index, or NOTHING */
    uint32_t rights;
    uint64_t badge;
};
static struct model_cap model[TABLES][SLOTS_MAX];

static void grow(struct cap_table *table)
{
    struct cap *slots = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    ck_assert_ptr_nonnull(slots);
    memset(slots, 0, PAGE_SIZE);
    EXPECT(cap_table_grow(table, slots) == 0);
}

static void start(uint32_t frames)
{
    for (uint32_t i = 0; i < OBJECTS; i++)
        objects[i] = (struct object){.type = CAP_THREAD + i % 3};
    for (uint32_t t = 0; t < TABLES; t++) {
        for (uint32_t i = 0; i < SLOTS_MAX; i++)
            model[t][i].object = NOTHING;
        for (uint32_t i = 0; i < frames; i++)
            grow(&tables[t]);
    }
}

static void finish(void)
{
    struct cap *slots;
    for (uint32_t t = 0; t < TABLES; t++) {
        while ((slots = cap_table_shrink(&tables[t])) != NULL)
            free(slots);
    }
    for (uint32_t i = 0; i < OBJECTS; i++)
        EXPECT(objects[i].caps == NULL);
}

static void slots_of_a_table(void)
{
    start(2);
    EXPECT(cap_slot(&tables[0], 0) == NULL && cap_slot(&tables[0], 2ul * SLOTS_PER_FRAME) == NULL);
    EXPECT(cap_slot(&tables[0], UINT64_MAX) == NULL && cap_slot(&tables[0], 1UL << 63) == NULL);
    EXPECT(cap_slot(&tables[0], 1) == &tables[0].directory[0][1]);
    EXPECT(cap_slot(&tables[0], SLOTS_PER_FRAME) == tables[0].directory[1]);
    finish();
}

static void directory_is_bounded(void)
{
    static struct cap slots[SLOTS_PER_FRAME];
    struct cap_table *table = &tables[0];
    for (uint32_t i = 0; i < CAP_TABLE_FRAMES_MAX; i++)
        EXPECT(cap_table_grow(table, slots) == 0);
    EXPECT(cap_table_grow(table, slots) == -ENOSPC && table->frames == CAP_TABLE_FRAMES_MAX);
    for (uint32_t i = 0; i < CAP_TABLE_FRAMES_MAX; i++)
        EXPECT(cap_table_shrink(table) == slots);
    EXPECT(cap_table_shrink(table) == NULL);
}

static void rights_never_grow(void)
{
    long error = 0;
    start(1);
    struct cap *a = cap_slot(&tables[0], 1), *b = cap_slot(&tables[0], 2), *c = cap_slot(&tables[0], 3);
    cap_set(a, &objects[0], RIGHTS_BOTH_WAYS | RIGHT_COPY, 0);
    EXPECT(cap_copy(b, a, RIGHT_SEND | RIGHT_CONTROL, SOME_BADGE) == 0);
    EXPECT(cap_rights(b) == RIGHT_SEND && b->badge == SOME_BADGE);
    EXPECT(cap_copy(c, b, RIGHT_ALL, 0) == -EPERM && !c->word);
    EXPECT(cap_copy(b, a, RIGHT_ALL, 0) == -EEXIST && cap_copy(c, cap_slot(&tables[0], 4), RIGHT_ALL, 0) == -EBADF);
    EXPECT(cap_find(&tables[0], 2, CAP_THREAD, RIGHT_SEND, &error) == &objects[0] && error == 0);
    EXPECT(!cap_find(&tables[0], 2, CAP_THREAD, RIGHT_RECEIVE, &error) && error == -EPERM);
    EXPECT(!cap_find(&tables[0], 2, CAP_ASPACE, RIGHT_SEND, &error) && error == -EBADF);
    finish();
}

static void badges_stay(void)
{
    start(1);
    struct cap *a = cap_slot(&tables[0], 1), *b = cap_slot(&tables[0], 2), *c = cap_slot(&tables[0], 3);
    cap_set(a, &objects[0], RIGHT_ALL, SOME_BADGE);
    EXPECT(cap_copy(b, a, RIGHT_ALL, SOME_BADGE + 1) == -EPERM && !b->word);
    EXPECT(cap_copy(b, a, RIGHT_ALL, 0) == 0 && b->badge == SOME_BADGE);
    EXPECT(cap_copy(c, a, RIGHT_ALL, SOME_BADGE) == 0 && c->badge == SOME_BADGE);
    finish();
}

static void revoking_in_parts(void)
{
    start(1);
    for (uint64_t i = 1; i <= 10; i++)
        cap_set(cap_slot(&tables[i % TABLES], i), &objects[0], RIGHT_ALL, i);
    EXPECT(!cap_revoke(&objects[0], 4) && !cap_revoke(&objects[0], 4) && cap_revoke(&objects[0], 4));
    EXPECT(cap_revoke(&objects[0], 0));
    for (uint64_t i = 1; i <= 10; i++)
        EXPECT(!cap_slot(&tables[i % TABLES], i)->word);
    finish();
}

static void damage_is_found(void)
{
    start(1);
    struct cap *a = cap_slot(&tables[0], 1), *b = cap_slot(&tables[0], 2);
    cap_set(a, &objects[0], RIGHT_ALL, 0);
    cap_set(b, &objects[0], RIGHT_ALL, 0);
    EXPECT(cap_table_check(&tables[0], 0) == 0 && cap_table_check(&tables[0], 1) == 0);
    struct cap **link = a->link;
    a->link = &b->next + 1;
    EXPECT(cap_table_check(&tables[0], 0) == -EINVAL);
    a->link = link;
    objects[0].type = CAP_IRQ;
    EXPECT(cap_table_check(&tables[0], 0) == -EINVAL);
    objects[0].type = CAP_THREAD;
    EXPECT(cap_table_check(&tables[0], 0) == 0);
    finish();
}

/* --- Random steps ------------------------------------------------------------------------------------------------ */

static uint32_t slot_count(uint32_t t)
{
    return tables[t].frames * SLOTS_PER_FRAME;
}

static void expect_slot(uint32_t t, uint32_t slot)
{
    const struct model_cap *want = &model[t][slot];
    const struct cap *cap = &tables[t].directory[slot / SLOTS_PER_FRAME][slot % SLOTS_PER_FRAME];
    if (want->object == NOTHING) {
        EXPECT(!cap->word && !cap->next && !cap->link);
        return;
    }
    EXPECT(cap_object(cap) == &objects[want->object] && cap_type(cap) == objects[want->object].type);
    EXPECT(cap_rights(cap) == want->rights && cap->badge == want->badge);
}

/* Everything is as the model says, and each object's list is exactly its capabilities. */
static void compare(void)
{
    uint32_t named[OBJECTS] = {0};
    for (uint32_t t = 0; t < TABLES; t++) {
        for (uint32_t slot = 0; slot < slot_count(t); slot++) {
            expect_slot(t, slot);
            if (model[t][slot].object != NOTHING)
                named[model[t][slot].object]++;
        }
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint32_t linked = 0;
        for (const struct cap *cap = objects[i].caps; cap; cap = cap->next)
            linked++;
        EXPECT(linked == named[i]);
    }
}

static void step_set_or_clear(uint32_t t, uint32_t slot)
{
    struct cap *cap = cap_slot(&tables[t], slot);
    struct model_cap *entry = &model[t][slot];

    if (entry->object != NOTHING) {
        cap_clear(cap);
        entry->object = NOTHING;
        return;
    }
    *entry = (struct model_cap){(uint32_t)random_below(OBJECTS), (uint32_t)random_below(RIGHT_ALL + 1),
                                random_chance(50) ? 0 : random_below(4)};
    cap_set(cap, &objects[entry->object], entry->rights, entry->badge);
}

static long model_copy(struct model_cap *to, const struct model_cap *from, uint32_t rights, uint64_t badge)
{
    if (from->object == NOTHING)
        return -EBADF;
    if (to->object != NOTHING)
        return -EEXIST;
    if (!(from->rights & RIGHT_COPY))
        return -EPERM;
    if (from->badge && badge && from->badge != badge)
        return -EPERM;
    *to = (struct model_cap){from->object, from->rights & rights, from->badge ? from->badge : badge};
    return 0;
}

static void step_copy(uint32_t t, uint32_t slot)
{
    uint32_t other = (uint32_t)random_below(TABLES);
    if (slot_count(other) == 0)
        return;
    uint32_t target = 1 + (uint32_t)random_below(slot_count(other) - 1);
    uint32_t rights = (uint32_t)random_next();
    uint64_t badge = random_below(4);
    long want = model_copy(&model[other][target], &model[t][slot], rights & RIGHT_ALL, badge);
    EXPECT(cap_copy(cap_slot(&tables[other], target), cap_slot(&tables[t], slot), rights, badge) == want);
}

static void step_find(uint32_t t, uint32_t slot)
{
    long error = 0;
    enum cap_type type = (enum cap_type)(CAP_THREAD + random_below(4));
    uint32_t rights = 1u << random_below(5);
    const struct model_cap *entry = &model[t][slot];
    const struct object *found = cap_find(&tables[t], slot, type, rights, &error);

    if (entry->object == NOTHING || objects[entry->object].type != (uint32_t)type)
        EXPECT(!found && error == -EBADF);
    else if (!(entry->rights & rights))
        EXPECT(!found && error == -EPERM);
    else
        EXPECT(found == &objects[entry->object] && error == 0);
}

static void step_revoke(void)
{
    uint32_t object = (uint32_t)random_below(OBJECTS);
    while (!cap_revoke(&objects[object], 1 + (unsigned)random_below(8)))
        ;
    for (uint32_t t = 0; t < TABLES; t++) {
        for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
            if (model[t][slot].object == object)
                model[t][slot].object = NOTHING;
        }
    }
}

static void step_resize(uint32_t t)
{
    if (random_chance(50)) {
        if (tables[t].frames < TABLE_FRAMES)
            grow(&tables[t]);
        return;
    }
    struct cap *slots = cap_table_shrink(&tables[t]);
    if (!slots)
        return;
    for (uint32_t i = 0; i < SLOTS_PER_FRAME; i++) {
        EXPECT(!slots[i].word);
        model[t][slot_count(t) + i].object = NOTHING;
    }
    free(slots);
}

static void random_step(void)
{
    uint32_t t = (uint32_t)random_below(TABLES);
    uint64_t kind = random_below(1000);

    if (kind < 10) {
        step_resize(t);
    } else if (kind < 40) {
        step_revoke();
    } else if (slot_count(t) > 0) {
        uint32_t slot = 1 + (uint32_t)random_below(slot_count(t) - 1);
        if (kind < 400)
            step_set_or_clear(t, slot);
        else if (kind < 800)
            step_copy(t, slot);
        else
            step_find(t, slot);
    }
}

static void against_model(void)
{
    start(TABLE_FRAMES / 2);
    for (test_step = 0; test_step < test_steps(); test_step++) {
        random_step();
        for (uint32_t t = 0; t < TABLES; t++) {
            for (uint32_t frame = 0; frame < tables[t].frames; frame++)
                EXPECT(cap_table_check(&tables[t], frame) == 0);
        }
        if (test_step % 16 == 0)
            compare();
    }
    compare();
    finish();
}

static const struct test_row rows[] = {
    {"slots_of_a_table", "a slot number past the end, or 0, finds nothing", slots_of_a_table},
    {"directory_is_bounded", "a table takes so many frames and no more", directory_is_bounded},
    {"rights_never_grow", "a copy has at most the rights of its source", rights_never_grow},
    {"badges_stay", "a badge that is set is never changed", badges_stay},
    {"revoking_in_parts", "a bounded number of capabilities goes at a time, until none is left", revoking_in_parts},
    {"damage_is_found", "cap_table_check() finds a broken link and a wrong type", damage_is_found},
    {"against_model", "100,000 random steps leave every slot as the model says", against_model},
};

TEST_MAIN("cap_table", rows)
