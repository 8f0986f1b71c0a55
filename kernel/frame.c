/* SPDX-License-Identifier: MIT */
/* The frame table: see frame.h. */
#include <errno.h>

#include "frame.h"

void frame_add_room(struct frame_table *table, uint64_t pfn, struct frame *room)
{
    uint64_t section = pfn >> FRAME_SECTION_SHIFT;
    table->room[section] = room;
    if (table->end < (section + 1) << FRAME_SECTION_SHIFT)
        table->end = (section + 1) << FRAME_SECTION_SHIFT;
}

/* Gives the entries [from, to) of a section a type. */
static void set_entries(struct frame *entries, uint64_t from, uint64_t to, enum frame_type type)
{
    const struct frame initial = {.type = (uint8_t)type};
#pragma GCC unroll 8
    for (uint64_t i = from; i < to; i++)
        entries[i] = initial;
}

/* Writes what boot knows of a section's frames. */
static void write_section(const struct frame_table *table, struct frame *entries, uint64_t first)
{
    uint64_t end = first + FRAME_SECTION_FRAMES;
    bool whole = false;
    for (uint32_t i = 0; i < table->range_count && !whole; i++)
        whole = table->ranges[i].pfn <= first && table->ranges[i].pfn + table->ranges[i].count >= end;
    if (!whole)
        set_entries(entries, 0, FRAME_SECTION_FRAMES, FRAME_NONE);
    for (uint32_t i = 0; i < table->range_count; i++) {
        const struct frame_range *range = &table->ranges[i];
        uint64_t from = range->pfn > first ? range->pfn : first;
        uint64_t to = range->pfn + range->count < end ? range->pfn + range->count : end;
        if (from < to)
            set_entries(entries, from - first, to - first, range->type);
    }
}

__attribute__((noinline, cold)) struct frame *frame_find_first(struct frame_table *table, uint64_t pfn)
{
    uint64_t section = pfn >> FRAME_SECTION_SHIFT;
    struct frame *entries = table->room[section];
    if (!entries)
        return NULL;
    write_section(table, entries, section << FRAME_SECTION_SHIFT);
    table->sections[section] = entries;
    return &entries[pfn % FRAME_SECTION_FRAMES];
}

/* 0 if the frame is a user frame, whatever maps it. */
static long require_user(const struct frame *frame)
{
    if (!frame || frame->type == FRAME_NONE)
        return -EFAULT;
    return frame->type == FRAME_USER ? 0 : -EPERM;
}

static long require_unmapped(const struct frame *frame)
{
    long error = require_user(frame);
    if (error)
        return error;
    return frame->references ? -EBUSY : 0;
}

long frame_add_mappings(struct frame_table *table, uint64_t pfn, uint64_t count)
{
    struct frame *first = frame_find(table, pfn);
    if (!first || pfn % FRAME_SECTION_FRAMES + count > FRAME_SECTION_FRAMES)
        return -EFAULT;
    for (const struct frame *frame = first; frame < first + count; frame++) {
        long error = require_user(frame);
        if (error)
            return error;
        if (frame->references == UINT32_MAX)
            return -ENOSPC;
    }
    for (struct frame *frame = first; frame < first + count; frame++)
        frame->references++;
    return 0;
}

void frame_remove_mappings(struct frame_table *table, uint64_t pfn, uint64_t count)
{
    struct frame *first = frame_known(table, pfn);
    for (struct frame *frame = first; frame < first + count; frame++)
        frame->references--;
}

long frame_hold(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    if (frame && frame->type == FRAME_USER && frame->kind == FRAME_HELD)
        return -EBUSY;
    long error = frame_add_mappings(table, pfn, 1);
    if (!error)
        frame->kind = FRAME_HELD;
    return error;
}

long frame_drop(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    if (!frame || frame->type != FRAME_USER || frame->kind != FRAME_HELD)
        return -EINVAL;
    frame->kind = 0;
    frame->references--;
    return 0;
}

long frame_take_table(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    long error = require_unmapped(frame);
    if (error)
        return error;
    *frame = (struct frame){.type = FRAME_TABLE};
    return 0;
}

long frame_return_table(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    if (!frame || frame->type != FRAME_TABLE)
        return -EPERM;
    if (frame->references || frame->sharers)
        return -EBUSY;
    *frame = (struct frame){.type = FRAME_USER};
    return 0;
}

long frame_add_object(struct frame_table *table, uint64_t pfn, enum cap_type kind, bool *fresh)
{
    struct frame *frame = frame_find(table, pfn);
    *fresh = false;
    if (frame && frame->type == FRAME_OBJECT && frame->kind == kind) {
        frame->references++;
        return 0;
    }
    long error = require_unmapped(frame);
    if (error)
        return error;
    *frame = (struct frame){.type = FRAME_OBJECT, .kind = (uint8_t)kind, .references = 1};
    *fresh = true;
    return 0;
}

bool frame_remove_object(struct frame_table *table, uint64_t pfn)
{
    struct frame *frame = frame_find(table, pfn);
    if (--frame->references)
        return false;
    *frame = (struct frame){.type = FRAME_USER};
    return true;
}

long frame_table_check(const struct frame_table *table, uint64_t first, uint64_t count)
{
    uint64_t section = first >> FRAME_SECTION_SHIFT;
    if (section >= FRAME_SECTION_COUNT || !table->sections[section])
        return 0;
    for (uint64_t i = first % FRAME_SECTION_FRAMES; i < FRAME_SECTION_FRAMES && count > 0; i++, count--) {
        const struct frame *frame = &table->sections[section][i];
        if (frame->type > FRAME_OBJECT || (frame->sharers && frame->type != FRAME_TABLE))
            return -EINVAL;
        if (frame->type == FRAME_OBJECT && (frame->references == 0 || frame->kind == CAP_NONE))
            return -EINVAL;
        if (frame->type == FRAME_USER && frame->kind && (frame->kind != FRAME_HELD || !frame->references))
            return -EINVAL;
        if (frame->type != FRAME_OBJECT && frame->type != FRAME_USER && frame->kind)
            return -EINVAL;
        if (frame->type == FRAME_TABLE && frame->references > 512)
            return -EINVAL;
        if (frame->type <= FRAME_KERNEL && frame->references)
            return -EINVAL;
    }
    return 0;
}
