/* SPDX-License-Identifier: MIT */
/* Memory groups of the machine for the pager's decisions: what is charged to whom follows from what it is. */
#include "pager_machine.h"

static uint32_t group_of(const struct frame *frame)
{
    if (frame->state == FRAME_ANON)
        return INNER_GROUP;
    return frame->object == 1 ? INNER_GROUP : OTHER_GROUP;
}

static bool is_charged(const struct frame *frame, uint32_t group)
{
    if (frame->state != FRAME_BACKED && frame->state != FRAME_ANON)
        return false;
    return group_of(frame) == group || (group == OUTER_GROUP && group_of(frame) == INNER_GROUP);
}

void machine_groups(void *context, struct group_state *states, uint32_t max)
{
    (void)context;
    for (uint32_t i = 0; i < max; i++)
        states[i] = (struct group_state){.limit = UINT64_MAX};
    for (uint32_t i = 0; machine.groups && i <= OTHER_GROUP; i++) {
        states[i].exists = true;
        states[i].parent = i == INNER_GROUP ? OUTER_GROUP : 0;
        for (uint32_t frame = 0; frame < machine.frame_count; frame++)
            states[i].memory += i == 0 || is_charged(&machine.frames[frame], i);
    }
    states[OUTER_GROUP].limit = machine.group_limit;
}

int machine_group_pages(void *context, uint32_t group, uint64_t pfn, struct page_use *uses, uint32_t max,
                        uint32_t *found, uint64_t *next)
{
    struct page_use use;
    uint64_t after = pfn ? pfn : FIRST_PFN;
    for (*next = after; *next != 0 && *found < max;) {
        uint32_t one = 0;
        after = *next;
        int error = machine_page_uses(context, after, &use, 1, &one, next);
        EXPECT(error == 0);
        if (one == 1 && is_charged(&machine.frames[use.pfn - FIRST_PFN], group))
            uses[(*found)++] = use;
    }
    return 0;
}

void machine_group_end(void *context, uint32_t group, int status, bool killed)
{
    (void)context;
    EXPECT(group == OUTER_GROUP);
    machine.group_status = status;
    machine.group_killed = killed;
}
