/* SPDX-License-Identifier: MIT */
/*
 * Sharing: what one address space maps appears in another one, which is how the copy of a space begins. Whole last-level
 * tables are used by both, so that it costs little whatever they map; see space_tables.h for when they part again.
 */
#include <errno.h>

#include "space_tables.h"

/* Tables, huge pages or empty spans looked at in one call. */
#define SHARE_STEPS 256u
/* A huge page counts as so many: each of its frames gets a mapping more. */
#define HUGE_STEPS 32u

struct share {
    struct aspace *from, *to;
    uint64_t address, end;
    uint64_t pages; /* that were shared */
    uint32_t steps;
};

/* Where the table or huge page goes in `to`; NULL with *error. */
static uint64_t *place_in(struct share *share, long *error)
{
    uint64_t *place = space_entry_for_map(share->to, share->address, HUGE_LEVEL, false, error);
    if (place && *place) {
        *error = -EEXIST;
        return NULL;
    }
    if (!place)
        space_prune(share->to, share->address);
    return place;
}

static long share_table(struct share *share, uint64_t *entry)
{
    struct frame *frame = space_frame(direct_map(*entry & PTE_ADDRESS));
    long error = 0;

    if (frame->sharers == UINT16_MAX)
        return -ENOSPC;
    uint64_t *place = place_in(share, &error);
    if (!place)
        return error;
    *entry = pte_table_share(*entry);
    *place = *entry;
    frame->sharers++;
    space_frame(place)->references++;
    share->to->table_count++;
    share->pages += frame->references;
    return 0;
}

static long share_huge(struct share *share, uint64_t *entry)
{
    long error = 0;

    if (*entry & PTE_DEVICE)
        return -EINVAL;
    uint64_t *place = place_in(share, &error);
    if (!place)
        return error;
    error = frame_add_mappings(&frames, (*entry & PTE_ADDRESS) >> PAGE_SHIFT, HUGE_FRAMES);
    if (error) {
        space_prune(share->to, share->address);
        return error;
    }
    *entry = pte_write_protect(*entry);
    *place = *entry;
    space_frame(place)->references++;
    share->pages += HUGE_FRAMES;
    share->steps += HUGE_STEPS;
    return 0;
}

/* The next span: what is there is shared, and the address moves behind it. */
static long share_span(struct share *share)
{
    uint64_t *table = share->from->top;
    unsigned level = 0;
    long error = 0;

    for (; level < HUGE_LEVEL && pte_is_table(table[pte_index(share->address, level)]); level++)
        table = direct_map(table[pte_index(share->address, level)] & PTE_ADDRESS);
    uint64_t *entry = &table[pte_index(share->address, level)];
    share->steps++;
    if (level == HUGE_LEVEL && *entry) {
        error = pte_is_table(*entry) ? share_table(share, entry) : share_huge(share, entry);
        if (error)
            return error;
    }
    share->address = (share->address & ~(pte_span(level) - 1)) + pte_span(level);
    return 0;
}

/* The arguments of the call, checked. */
static long begin(const struct thread *caller, struct share *share)
{
    const struct context *context = &caller->context;
    uint64_t pages = context_argument(context, 4);
    long error = 0;

    *share = (struct share){.address = context_argument(context, 3)};
    share->from = space_argument(caller, &error);
    if (error)
        return error;
    share->to =
        (struct aspace *)cap_find(caller->table, context_argument(context, 2), CAP_ASPACE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    if (share->from == share->to || pages > USER_VA_END / PAGE_SIZE || share->address % HUGE_PAGE_SIZE ||
        pages % HUGE_FRAMES || !space_range_ok(share->from, share->address, pages * PAGE_SIZE) ||
        !space_range_ok(share->to, share->address, pages * PAGE_SIZE))
        return -EINVAL;
    share->end = share->address + pages * PAGE_SIZE;
    return 0;
}

long aspace_share(struct thread *caller)
{
    struct share share;
    long error = begin(caller, &share);

    if (error)
        return error;
    space_forget_leaf(share.from);
    while (share.address < share.end && share.steps < SHARE_STEPS && !error)
        error = share_span(&share);
    if (share.pages) {
        table_write_barrier();
        tlb_drop_space(share.from->identifier);
        tlb_finish();
    }
    context_set_second(&caller->context, share.address < share.end ? share.address : share.end);
    return share.pages || !error ? (long)share.pages : error;
}
