/* SPDX-License-Identifier: MIT */
/* The frame table against a model, and the rule it exists for: a frame is mapped, or a table, or objects, never two. */
#include <errno.h>
#include <string.h>

#include <frame.h>

#include "harness.h"

#define FIRST   0x40000u /* pfn */
#define FRAMES  256u
#define KERNEL  16u /* frames of the kernel's own at the start, as many without memory at the end */
#define ENTRIES 512u

static struct frame room[FRAME_SECTION_FRAMES];
static struct frame *const entries = room;
static const struct frame_range ranges[] = {{FIRST, KERNEL, FRAME_KERNEL},
                                            {FIRST + KERNEL, FRAMES - 2 * KERNEL, FRAME_USER}};
static struct frame_table table;
static struct frame model[FRAMES];

static void start(void)
{
    memset(room, 0xee, sizeof(room));
    table = (struct frame_table){.ranges = ranges, .range_count = 2};
    frame_add_room(&table, FIRST, room);
    EXPECT(table.end == FIRST + FRAME_SECTION_FRAMES && frame_table_check(&table, FIRST, FRAMES) == 0);
    EXPECT(!table.sections[FIRST >> FRAME_SECTION_SHIFT] && frame_find(&table, FIRST + 5) == &room[5]);
    EXPECT(table.sections[FIRST >> FRAME_SECTION_SHIFT] == room);
    memcpy(model, entries, FRAMES * sizeof(model[0]));
    EXPECT(frame_table_check(&table, FIRST, FRAMES) == 0);
}

static void outside(void)
{
    bool fresh;
    start();
    const uint64_t pfns[] = {0, FIRST - 1, FIRST + FRAMES, FIRST + FRAMES - 1, UINT64_MAX, 1UL << 63};
    for (unsigned i = 0; i < sizeof(pfns) / sizeof(pfns[0]); i++) {
        EXPECT(frame_add_mapping(&table, pfns[i]) == -EFAULT);
        EXPECT(frame_take_table(&table, pfns[i]) == -EFAULT);
        EXPECT(frame_add_object(&table, pfns[i], CAP_THREAD, &fresh) == -EFAULT && !fresh);
        EXPECT(frame_return_table(&table, pfns[i]) == -EPERM);
    }
    EXPECT(frame_add_mapping(&table, FIRST) == -EPERM && frame_take_table(&table, FIRST) == -EPERM);
    EXPECT(frame_add_object(&table, FIRST, CAP_THREAD, &fresh) == -EPERM);
}

static void one_use_at_a_time(void)
{
    const uint64_t pfn = FIRST + KERNEL;
    bool fresh;
    start();
    EXPECT(frame_add_mapping(&table, pfn) == 0 && frame_add_mapping(&table, pfn) == 0);
    EXPECT(frame_take_table(&table, pfn) == -EBUSY && frame_add_object(&table, pfn, CAP_REPLY, &fresh) == -EBUSY);
    frame_remove_mappings(&table, pfn, 1);
    EXPECT(frame_take_table(&table, pfn) == -EBUSY);
    frame_remove_mapping(&table, pfn);
    EXPECT(frame_drop(&table, pfn) == -EINVAL && frame_hold(&table, pfn) == 0 && frame_hold(&table, pfn) == -EBUSY);
    EXPECT(frame_take_table(&table, pfn) == -EBUSY && frame_find(&table, pfn)->references == 1);
    EXPECT(frame_table_check(&table, FIRST, 64) == 0);
    EXPECT(frame_drop(&table, pfn) == 0 && frame_drop(&table, pfn) == -EINVAL);
    EXPECT(frame_hold(&table, FIRST) == -EPERM && frame_hold(&table, UINT64_MAX) == -EFAULT);
    EXPECT(frame_take_table(&table, pfn) == 0);
    EXPECT(frame_hold(&table, pfn) == -EPERM && frame_drop(&table, pfn) == -EINVAL);
    EXPECT(frame_take_table(&table, pfn) == -EPERM && frame_add_mapping(&table, pfn) == -EPERM);
    EXPECT(frame_add_object(&table, pfn, CAP_REPLY, &fresh) == -EPERM);
    frame_find(&table, pfn)->references = 1;
    EXPECT(frame_return_table(&table, pfn) == -EBUSY);
    frame_find(&table, pfn)->references = 0;
    EXPECT(frame_return_table(&table, pfn) == 0 && frame_return_table(&table, pfn) == -EPERM);
}

static void objects_of_one_type(void)
{
    const uint64_t pfn = FIRST + KERNEL;
    bool fresh;
    start();
    EXPECT(frame_add_object(&table, pfn, CAP_REPLY, &fresh) == 0 && fresh);
    EXPECT(frame_add_object(&table, pfn, CAP_REPLY, &fresh) == 0 && !fresh);
    EXPECT(frame_add_object(&table, pfn, CAP_ENDPOINT, &fresh) == -EPERM && !fresh);
    EXPECT(frame_add_mapping(&table, pfn) == -EPERM && frame_take_table(&table, pfn) == -EPERM);
    EXPECT(frame_return_table(&table, pfn) == -EPERM);
    EXPECT(!frame_remove_object(&table, pfn) && frame_remove_object(&table, pfn));
    EXPECT(frame_add_mapping(&table, pfn) == 0);
}

static void counts_do_not_overflow(void)
{
    const uint64_t pfn = FIRST + KERNEL;
    start();
    frame_find(&table, pfn)->references = UINT32_MAX - 1;
    EXPECT(frame_add_mapping(&table, pfn) == 0 && frame_add_mapping(&table, pfn) == -ENOSPC);
    EXPECT(frame_find(&table, pfn)->references == UINT32_MAX);
    EXPECT(frame_add_mappings(&table, pfn, 2) == -ENOSPC && frame_find(&table, pfn + 1)->references == 0);
}

static void damage_is_found(void)
{
    const struct frame broken[] = {
        {.type = FRAME_OBJECT + 1},
        {.type = FRAME_OBJECT, .kind = CAP_THREAD},
        {.type = FRAME_OBJECT, .references = 1},
        {.type = FRAME_USER, .kind = CAP_THREAD},
        {.type = FRAME_TABLE, .references = ENTRIES + 1},
        {.type = FRAME_KERNEL, .references = 1},
        {.type = FRAME_USER, .sharers = 1},
    };
    start();
    for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        entries[FRAMES / 2] = broken[i];
        EXPECT(frame_table_check(&table, FIRST, FRAMES) == -EINVAL);
        EXPECT(frame_table_check(&table, FIRST, FRAMES / 2) == 0);
        EXPECT(frame_table_check(&table, FIRST + FRAMES / 2 + 1, UINT64_MAX) == 0);
    }
}

/* --- Random steps ------------------------------------------------------------------------------------------------ */

/* Any frame, and now and then one just outside. */
static uint64_t random_pfn(void)
{
    return FIRST - 2 + random_below(FRAMES + 4);
}

static struct frame *model_find(uint64_t pfn)
{
    return pfn >= FIRST && pfn < FIRST + FRAMES ? &model[pfn - FIRST] : NULL;
}

static long model_user(const struct frame *frame)
{
    if (!frame || frame->type == FRAME_NONE)
        return -EFAULT;
    return frame->type == FRAME_USER ? 0 : -EPERM;
}

static long model_unused(const struct frame *frame)
{
    long error = model_user(frame);
    if (error == 0 && frame->references)
        error = -EBUSY;
    return error;
}

static void step_map(void)
{
    uint64_t pfn = random_pfn(), count = 1 + (random_chance(20) ? random_below(8) : 0);
    long want = 0;
    for (uint64_t i = 0; i < count && want == 0; i++)
        want = model_user(model_find(pfn + i));
    long got = count == 1 ? frame_add_mapping(&table, pfn) : frame_add_mappings(&table, pfn, count);
    EXPECT(got == want);
    for (uint64_t i = 0; i < count && want == 0; i++)
        model_find(pfn + i)->references++;
}

static void step_unmap(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    if (!frame || frame->type != FRAME_USER || !frame->references)
        return;
    frame_remove_mapping(&table, pfn);
    frame->references--;
}

static void step_take_table(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    long want = model_unused(frame);
    EXPECT(frame_take_table(&table, pfn) == want);
    if (want == 0)
        frame->type = FRAME_TABLE;
}

/* Entries come into a table and go, as the address space counts them. */
static void step_use_table(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    if (!frame || frame->type != FRAME_TABLE)
        return;
    frame->references = random_chance(50) ? 0 : (uint32_t)random_below(ENTRIES + 1);
    frame_find(&table, pfn)->references = frame->references;
}

static void step_return_table(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    long want = !frame || frame->type != FRAME_TABLE ? -EPERM : frame->references ? -EBUSY : 0;
    EXPECT(frame_return_table(&table, pfn) == want);
    if (want == 0)
        frame->type = FRAME_USER;
}

static void step_add_object(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    enum cap_type kind = (enum cap_type)(CAP_THREAD + random_below(4));
    bool joins = frame && frame->type == FRAME_OBJECT && frame->kind == kind;
    long want = joins ? 0 : model_unused(frame);
    bool fresh;

    EXPECT(frame_add_object(&table, pfn, kind, &fresh) == want && fresh == (want == 0 && !joins));
    if (want < 0)
        return;
    frame->type = FRAME_OBJECT;
    frame->kind = (uint8_t)kind;
    frame->references++;
}

static void step_remove_object(void)
{
    uint64_t pfn = random_pfn();
    struct frame *frame = model_find(pfn);
    if (!frame || frame->type != FRAME_OBJECT)
        return;
    bool last = frame->references == 1;
    EXPECT(frame_remove_object(&table, pfn) == last);
    if (last)
        *frame = (struct frame){.type = FRAME_USER};
    else
        frame->references--;
}

static void against_model(void)
{
    static void (*const steps[])(void) = {step_map,        step_unmap,         step_unmap,
                                          step_take_table, step_use_table,     step_return_table,
                                          step_add_object, step_remove_object, step_remove_object};
    start();
    for (test_step = 0; test_step < test_steps(); test_step++) {
        steps[random_below(sizeof(steps) / sizeof(steps[0]))]();
        EXPECT(frame_table_check(&table, FIRST, FRAMES) == 0);
        EXPECT(memcmp(model, entries, FRAMES * sizeof(model[0])) == 0);
    }
}

/* Two sections with memory, a hole, and a range over the border between two sections. */
static void sections_are_written_when_used(void)
{
    static struct frame further[3][FRAME_SECTION_FRAMES];
    static const struct frame_range wide[] = {{FIRST + 10, 2 * FRAME_SECTION_FRAMES - 20, FRAME_USER},
                                              {FIRST + 4 * FRAME_SECTION_FRAMES, FRAME_SECTION_FRAMES, FRAME_USER}};
    memset(further, 0xee, sizeof(further));
    table = (struct frame_table){.ranges = wide, .range_count = 2};
    frame_add_room(&table, FIRST, further[0]);
    frame_add_room(&table, FIRST + FRAME_SECTION_FRAMES, further[1]);
    frame_add_room(&table, FIRST + 4 * FRAME_SECTION_FRAMES, further[2]);
    EXPECT(table.end == FIRST + 5 * FRAME_SECTION_FRAMES);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(further[i][0].sharers == 0xeeee);

    EXPECT(frame_add_mapping(&table, FIRST + FRAME_SECTION_FRAMES) == 0);
    EXPECT(further[1][0].references == 1 && further[0][0].sharers == 0xeeee && further[2][0].sharers == 0xeeee);
    EXPECT(frame_add_mapping(&table, FIRST + 2 * FRAME_SECTION_FRAMES - 11) == 0);
    EXPECT(frame_add_mapping(&table, FIRST + 2 * FRAME_SECTION_FRAMES - 10) == -EFAULT);
    EXPECT(frame_add_mapping(&table, FIRST + 2 * FRAME_SECTION_FRAMES) == -EFAULT); /* the hole */
    EXPECT(frame_add_mapping(&table, FIRST + 9) == -EFAULT && frame_add_mapping(&table, FIRST + 10) == 0);
    EXPECT(frame_add_mapping(&table, FIRST + 5 * FRAME_SECTION_FRAMES - 1) == 0);
    EXPECT(further[2][0].type == FRAME_USER && further[2][0].references == 0);
    for (uint64_t first = FIRST; first < table.end; first += FRAME_SECTION_FRAMES)
        EXPECT(frame_table_check(&table, first, UINT64_MAX) == 0);
    EXPECT(frame_table_check(&table, UINT64_MAX, 1) == 0);
}

static const struct test_row rows[] = {
    {"sections_are_written_when_used", "entries are written with their section, and holes have none",
     sections_are_written_when_used},
    {"outside", "frames that do not exist, or are the kernel's, are of no use to anyone", outside},
    {"one_use_at_a_time", "a mapped frame is no table, and a table is not mapped", one_use_at_a_time},
    {"objects_of_one_type", "a frame of objects takes more of the same type alone", objects_of_one_type},
    {"counts_do_not_overflow", "the last mapping that can be counted is the last", counts_do_not_overflow},
    {"damage_is_found", "frame_table_check() finds each entry that cannot be", damage_is_found},
    {"against_model", "100,000 random steps leave every entry as the model says", against_model},
};

TEST_MAIN("frame_table", rows)
