/* SPDX-License-Identifier: MIT */
/* Emptying swap areas, and what a next pager must know of them. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "areas.h"
#include "pager.h"
#include "space_pages.h"
#include "swap_record.h"

/* --- Bringing back for good --------------------------------------------------------------------------------------- */

/* Maps the record's page, not to be written without a fault, wherever the space has a soft entry of the slot. ENOMEM. */
static int restore_in(struct memsrv_context *worker, struct space *space, const struct swap_record *record)
    REQUIRES(space->lock)
{
    const struct wanted_entry wanted = {.soft = swap_entry(record->slot), .index = record->place.index};
    uint64_t address;
    int error = 0;

    space_wait_for_answers_locked(worker, space);
    while (!error && (address = family_find_entry_locked(space, &wanted))) {
        const struct vma *area = vma_at(&space->areas, address);
        const uint64_t rights = (area->flags & VMA_ACCESS & ~VMA_WRITE) | ENTRY_ACCESSED;
        if (area->flags & VMA_EXECUTE)
            machine_sync_code(page_window(record->page), PAGE_SIZE);
        error = space_map_entry_locked(space, address | MAP_ITEM_REPLACE, page_address(record->page) | rights);
    }
    return error;
}

/* The same in all spaces of the family, those included that come meanwhile. */
static int restore_everywhere(struct memsrv_context *worker, const struct swap_record *record)
{
    struct family *family = record->place.family;
    struct space *members[SPACES_MAX];
    uint64_t joins, joins_now;
    int error = 0;

    uint32_t count = family_list(family, members, &joins);
    do {
        for (uint32_t i = 0; i < count && !error; i++) {
            if (!family_enter(members[i], family))
                continue;
            error = restore_in(worker, members[i], record);
            space_leave(members[i]);
        }
        joins_now = joins;
        count = family_list(family, members, &joins);
    } while (!error && joins != joins_now);
    return error;
}

/* The record of a slot, pinned, whose page is there. */
static int pin(uint64_t slot, struct swap_record **result)
{
    int error = 0;

    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_locked(slot);
    if (!record || record->state == SWAP_FREE || record->state == SWAP_ABANDONED)
        error = -ENOENT;
    else if (!record->page || swap_in_transit(record))
        error = -EAGAIN;
    else
        record->pins++;
    spinlock_release(&swap_lock);
    *result = record;
    return error;
}

int swap_restore(struct memsrv_context *worker, uint64_t slot)
{
    struct swap_record *record;

    int error = pin(slot, &record);
    if (error)
        return error;
    const struct swap_place place = record->place;
    if (!place.family) {
        spinlock_acquire(&swap_lock);
        swap_unpin_locked(worker, record);
        spinlock_release(&swap_lock);
        return object_swap_restore(worker, place.object, place.index);
    }
    error = restore_everywhere(worker, record);
    spinlock_acquire(&swap_lock);
    if (!error && record->state != SWAP_ABANDONED)
        swap_abandon_locked(worker, record);
    swap_unpin_locked(worker, record);
    spinlock_release(&swap_lock);
    return error;
}

int memsrv_handle_swap_restore(struct memsrv_context *context, const struct message *request, uint64_t slot)
{
    if (!pager_is_caller(request))
        return -EPERM;
    context->reserve = true;
    return swap_restore(context, slot);
}

/* --- Areas -------------------------------------------------------------------------------------------------------- */

static struct memsrv_swap_note notes[MEMSRV_SWAP_AREAS] GUARDED_BY(swap_lock); /* slots 0: there is none */

int memsrv_handle_swap_area_note(struct memsrv_context *context, const struct message *request, uint64_t area,
                                 uint64_t slots, int64_t priority, const void *name, size_t name_bytes)
{
    struct memsrv_swap_note note = {.area = area, .slots = slots, .priority = priority};

    if (!pager_is_caller(request))
        return -EPERM;
    if (area >= MEMSRV_SWAP_AREAS || (slots && !name_bytes) || name_bytes >= sizeof(note.name))
        return -EINVAL;
    memcpy(note.name, name, name_bytes);
    spinlock_acquire(&swap_lock);
    notes[area] = note;
    spinlock_release(&swap_lock);
    return 0;
}

int memsrv_handle_swap_areas(struct memsrv_context *context, const struct message *request,
                             struct memsrv_swap_note *areas, size_t areas_capacity, size_t *areas_count)
{
    if (!pager_is_caller(request))
        return -EPERM;
    *areas_count = 0;
    spinlock_acquire(&swap_lock);
    for (uint32_t i = 0; i < MEMSRV_SWAP_AREAS && *areas_count < areas_capacity; i++) {
        if (notes[i].slots)
            areas[(*areas_count)++] = notes[i];
    }
    spinlock_release(&swap_lock);
    return 0;
}
