/* SPDX-License-Identifier: MIT */
/* Huge pages where no fault asks for one: for memory that is taken in advance, and in the place of small pages. */
#include <errno.h>

#include <base/bits.h>
#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "event.h"
#include "huge.h"
#include "space_pages.h"
#include "space_tables.h"

static uint64_t huge_entry(const struct vma *area, const struct page *block)
{
    return page_address(block) | entry_flags(area->flags) | ENTRY_HUGE;
}

/* Maps a block of the space's own where nothing is. ENOMEM: no tables; EEXIST. */
static int map_block(struct space *space, struct vma *area, uint64_t base, const struct page *block)
    REQUIRES(space->lock)
{
    int error = space_map_entry_locked(space, base | MAP_ITEM_MAP, huge_entry(area, block));
    if (error)
        return error;
    area->touched = true;
    space->huge_entries++;
    space->resident += HUGE_PAGES;
    return 0;
}

bool huge_populate_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t base)
{
    uint64_t next;

    if (!huge_is_wanted(area, base) ||
        sys_harvest(SLOT_PHYSICAL, space->aspace.slot, base, HUGE_PAGES, 0, &next) != 0 || next < base + HUGE_PAGE_SIZE)
        return false;
    struct page *block = huge_take(worker, space, area, base, HUGE_FAULT);
    if (!block)
        return false;
    huge_zero(block);
    if (map_block(space, area, base, block) == 0)
        return true;
    huge_give(worker, block);
    return false;
}

/* --- Collapse ----------------------------------------------------------------------------------------------------- */

/* Looks at what is mapped at `base`; *pages tells how many pages. EALREADY: a huge page; errors of collapse. */
static int survey(struct space *space, uint64_t base, uint64_t *pages) REQUIRES(space->lock)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    const uint64_t end = base + HUGE_PAGE_SIZE;

    *pages = 0;
    for (uint64_t start = base; start < end;) {
        uint64_t next = start;
        long found = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(found >= 0 && next > start);
        for (long i = 0; i < found; i++) {
            uint64_t entry = results[i].entry;
            if (entry & ENTRY_HUGE)
                return -EALREADY;
            if (entry & (ENTRY_SOFT | ENTRY_DEVICE))
                return -EINVAL;
            if ((entry & ENTRY_SHARED) && page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT) != zero_page)
                return -EAGAIN;
        }
        *pages += (uint64_t)found;
        start = next;
    }
    return 0;
}

/* Takes over one page that was mapped at `place` of the block's. */
static void take_over(struct memsrv_context *worker, struct page *block, const struct map_result *result,
                      uint64_t place, uint64_t copied[HUGE_PAGES / 64])
{
    struct page *page = page_of((result->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);

    if (page == zero_page)
        return;
    ASSERT(result->entry & ENTRY_LAST);
    machine_copy_page(page_window(block + place), page_window(page));
    copied[place / 64] |= 1UL << place % 64;
    anonymous_page_give(worker, page);
}

/* Unmaps what is at `base` and makes the block hold it. Nobody sees the memory meanwhile: who touches it waits for the
 * space's lock. */
static void move_into(struct memsrv_context *worker, struct space *space, uint64_t base, struct page *block)
    REQUIRES(space->lock)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    const uint64_t end = base + HUGE_PAGE_SIZE;
    uint64_t copied[HUGE_PAGES / 64] = {0};

    for (uint64_t start = base; start < end;) {
        uint64_t next = start;
        long found = sys_unmap(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(found >= 0);
        for (long i = 0; i < found; i++)
            take_over(worker, block, &results[i], (results[i].address - base) >> PAGE_SHIFT, copied);
        space->resident -= (uint64_t)found;
        start = next;
    }
    for (uint64_t place = 0; place < HUGE_PAGES; place++) {
        if (!(copied[place / 64] >> place % 64 & 1))
            page_zero(block + place);
    }
}

/* Makes the tables at `base` the space's own, so that entries tell what is shared page by page. ENOMEM. */
static int own_tables(struct space *space, const struct vma *area, uint64_t base) REQUIRES(space->lock)
{
    if (!space->shares_tables)
        return 0;
    int error = space_ready_to_change_locked(space, base, base + HUGE_PAGE_SIZE, true);
    if (!error)
        space_protect_locked(space, base, base + HUGE_PAGE_SIZE, cow_rights(area));
    return error;
}

int huge_collapse_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t base)
{
    uint64_t pages;

    space_wait_for_answers_locked(worker, space);
    int error = own_tables(space, area, base);
    if (!error)
        error = survey(space, base, &pages);
    if (error)
        return error == -EALREADY ? 0 : error;
    struct page *block = huge_take(worker, space, area, base, HUGE_COLLAPSE);
    if (!block)
        return -ENOMEM;
    move_into(worker, space, base, block);
    if (area->flags & VMA_EXECUTE)
        machine_sync_code(page_window(block), HUGE_PAGE_SIZE);
    error = map_block(space, area, base, block);
    /* Pages that were there had a table, which is now to spare. */
    ASSERT(!error || pages == 0);
    if (error)
        huge_give(worker, block);
    else
        event_count(worker, EVENT_THP_COLLAPSE_ALLOC);
    return error;
}

int huge_collapse_if_worth_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t base)
{
    uint64_t pages;
    if (survey(space, base, &pages) != 0 || pages == 0)
        return 0;
    int error = huge_collapse_locked(worker, space, area, base);
    return error ? error : 1;
}

int huge_collapse_range(struct memsrv_context *worker, uint64_t pid, uint64_t start, uint64_t end)
{
    uint64_t base = align_up(start, HUGE_PAGE_SIZE);
    int first_error = base + HUGE_PAGE_SIZE > end ? -EINVAL : 0;

    for (; base + HUGE_PAGE_SIZE <= end; base += HUGE_PAGE_SIZE) {
        struct space *space = space_find(pid);
        if (!space_enter(space, pid))
            return -ESRCH;
        struct vma *area = vma_at(&space->areas, base);
        int error = area && huge_fits(area, base) ? huge_collapse_locked(worker, space, area, base) : -EINVAL;
        space_leave(space);
        if (!first_error)
            first_error = error;
    }
    return first_error;
}
