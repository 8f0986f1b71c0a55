/* SPDX-License-Identifier: MIT */
/* Soft entries and pages of the swap cache in a space: see swap.h. */
#include <errno.h>

#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "memgroups.h"
#include "pager_ring.h"
#include "parking.h"
#include "space_pages.h"
#include "swap_record.h"

/* Nothing of the space refers to the record any more. */
static void lose(struct memsrv_context *worker, struct swap_record *record, bool alone) REQUIRES(swap_lock)
{
    if (alone)
        swap_abandon_locked(worker, record);
    else
        swap_doubt_locked(record);
}

void swap_entry_gone(struct memsrv_context *worker, struct space *space, uint64_t entry)
{
    const bool alone = family_is_alone(space);

    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_locked(swap_slot_of(entry));
    ASSERT(record && record->place.family == space->family);
    if (record)
        lose(worker, record, alone);
    spinlock_release(&swap_lock);
}

void swap_page_unmapped(struct memsrv_context *worker, struct space *space, struct page *page)
{
    const bool alone = family_is_alone(space);

    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_page_locked(page);
    if (record)
        lose(worker, record, alone && swap_mappings(page) == 0);
    spinlock_release(&swap_lock);
}

bool swap_take_over_locked(struct memsrv_context *worker, struct space *space, struct page *page)
{
    bool taken = false;
    const bool alone = family_is_alone(space);

    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_page_locked(page);
    if (!record) {
        taken = true; /* it has left the cache just now, and whoever decides next sees whose it is */
    } else if (alone && !swap_in_transit(record) && record->pins == 0 && swap_mappings(page) == 1) {
        swap_abandon_locked(worker, record);
        taken = true;
    } else {
        swap_doubt_locked(record);
    }
    spinlock_release(&swap_lock);
    return taken;
}

/* --- Bringing pages ----------------------------------------------------------------------------------------------- */

/* The record of a soft entry of the space, pinned, with its page. EINPROGRESS, EAGAIN: it is not in memory. */
static int pin(struct memsrv_context *worker, uint64_t slot, struct swap_record **result)
{
    const struct parking_request request = {
        .key = {MEMSRV_DEMAND_SWAP_IN, 0, slot}, .first = slot, .count = 1, .access = MEMSRV_PROTECT_READ};
    int error = 0;

    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_locked(slot);
    CHECK(record && record->state != SWAP_FREE); /* there is a soft entry */
    /* With the lock held, so that the page does not come before its coming is waited for. */
    if (!record->page || (record->page->flags & PAGE_FRESH))
        error = parking_wait(worker, &request);
    else
        record->pins++;
    spinlock_release(&swap_lock);
    *result = record;
    return error;
}

/* Maps what a soft entry stands for: the page itself. */
static int map_itself(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t address,
                      const struct page *page, bool writes) REQUIRES(space->lock)
{
    const uint64_t rights =
        writes ? entry_flags(area->flags) : (area->flags & VMA_ACCESS & ~VMA_WRITE) | ENTRY_ACCESSED;

    if (area->flags & VMA_EXECUTE)
        machine_sync_code(page_window(page), PAGE_SIZE);
    int error = space_map_entry_locked(space, address | MAP_ITEM_REPLACE, page_address(page) | rights);
    if (!error)
        pager_note_mapped(worker, page);
    return error;
}

/* Maps a copy, which is the space's own. */
static int map_copy(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t address,
                    const struct page *source) REQUIRES(space->lock)
{
    struct page *page = space_page_take(worker, space);
    if (!page)
        return -ENOMEM;
    page->owner = space->family;
    page->index = area_index(area, address);
    cow_copy(page, source, area);
    int error =
        space_map_entry_locked(space, address | MAP_ITEM_REPLACE, page_address(page) | entry_flags(area->flags));
    if (error)
        user_page_give(worker, page);
    else
        pager_note_mapped(worker, page);
    return error;
}

/* A page that came back is charged to the group of who wants it first. ENOMEM: that is full. */
static int charge(struct memsrv_context *worker, const struct space *space, struct page *page) REQUIRES(space->lock)
{
    int error = 0;

    if (space->standing.group == MEMGROUP_ROOT)
        return 0;
    spinlock_acquire(&swap_lock);
    if (!(page->flags & PAGE_CHARGED))
        error = memgroups_charge_page(worker, space->standing.group, MEMGROUP_ANON, page);
    spinlock_release(&swap_lock);
    return error;
}

int swap_bring_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address,
                      uint64_t entry, uint64_t access)
{
    const bool alone = family_is_alone(space), writes = access & VMA_WRITE;
    struct swap_record *record;

    int error = pin(worker, swap_slot_of(entry), &record);
    if (error)
        return error;
    /* Nobody else can want it, and no device uses it: a page that is pinned is not put into transit. */
    const bool keeps = writes && alone && !swap_in_transit(record);
    if (writes && !keeps)
        error = map_copy(worker, space, area, address, record->page);
    else
        error = charge(worker, space, record->page);
    if (!error && (!writes || keeps))
        error = map_itself(worker, space, area, address, record->page, writes);
    spinlock_acquire(&swap_lock);
    if (!error && writes)
        lose(worker, record, alone);
    swap_unpin_locked(worker, record);
    spinlock_release(&swap_lock);
    return error;
}

int swap_bring_range_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start,
                            uint64_t end, uint64_t access)
{
    struct map_result found[MAP_ITEMS_MAX];
    int error = 0;

    if (!swap_concerns(space))
        return 0;
    space_wait_for_answers_locked(worker, space);
    while (start < end && !error) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        memcpy(found, ipc_buffer()->words, (uint64_t)count * sizeof(*found));
        for (long i = 0; i < count && !error; i++) {
            if (found[i].entry & ENTRY_SOFT)
                error =
                    swap_bring_locked(worker, space, area, found[i].address, found[i].entry & ~ENTRY_SHARED, access);
        }
        start = next;
    }
    return error;
}

void swap_hint_range_locked(struct space *space, uint64_t start, uint64_t end)
{
    const struct map_result *found = (const struct map_result *)ipc_buffer()->words;

    if (!swap_concerns(space))
        return;
    while (start < end) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        for (long i = 0; i < count; i++) {
            const uint64_t slot = swap_slot_of(found[i].entry);
            const struct parking_request request = {
                .key = {MEMSRV_DEMAND_SWAP_IN, 0, slot}, .first = slot, .count = 1, .access = MEMSRV_PROTECT_READ};
            if (found[i].entry & ENTRY_SOFT)
                parking_hint(&request);
        }
        start = next;
    }
}
