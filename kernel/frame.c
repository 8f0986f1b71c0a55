/* SPDX-License-Identifier: MIT */
/* The frame table: see frame.h. */
#include <errno.h>

#include "frame.h"

void frame_set_range(struct frame_table *table, uint64_t pfn, uint64_t count, enum frame_type type)
{
    for (uint64_t i = 0; i < count; i++)
        *frame_find(table, pfn + i) = (struct frame){.type = (uint8_t)type};
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
    for (uint64_t i = 0; i < count; i++) {
        const struct frame *frame = frame_find(table, pfn + i);
        long error = require_user(frame);
        if (error)
            return error;
        if (frame->references == UINT32_MAX)
            return -ENOSPC;
    }
    for (uint64_t i = 0; i < count; i++)
        frame_find(table, pfn + i)->references++;
    return 0;
}

void frame_remove_mappings(struct frame_table *table, uint64_t pfn, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        frame_remove_mapping(table, pfn + i);
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
    for (uint64_t i = first; i < table->count && i - first < count; i++) {
        const struct frame *frame = &table->frames[i];
        if (frame->type > FRAME_OBJECT || (frame->sharers && frame->type != FRAME_TABLE))
            return -EINVAL;
        if (frame->type == FRAME_OBJECT && (frame->references == 0 || frame->kind == CAP_NONE))
            return -EINVAL;
        if (frame->type != FRAME_OBJECT && frame->kind)
            return -EINVAL;
        if (frame->type == FRAME_TABLE && frame->references > 512)
            return -EINVAL;
        if (frame->type <= FRAME_KERNEL && frame->references)
            return -EINVAL;
    }
    return 0;
}
