/* SPDX-License-Identifier: MIT */
/*
 * Swapped pages of memory objects that nothing else backs. A page that goes leaves the object, which remembers its slot at
 * the page's index, in an index of its own; who wants it waits until it is in the swap cache, and takes it from there. Then
 * the slot is free: an object's page does not keep it. Who refers to a slot is known, so nothing is ever unsure.
 */
#include <errno.h>

#include <quire/syscall.h>

#include "object_internal.h"
#include "parking.h"
#include "swap_record.h"
#include "transit.h"

/* --- Out ---------------------------------------------------------------------------------------------------------- */

/* Enters the record for a page of the object, on its way to the slot. */
static int enter(struct object *object, struct page *page, struct swap_record *record) REQUIRES(object->lock)
{
    const struct memsrv_transit about = {.kind = MEMSRV_TRANSIT_SWAP_OUT, .object = object->id, .index = record->slot};

    int error = index_insert(&object->swapped, record->place.index, record);
    if (error)
        return error;
    spinlock_acquire(&swap_lock);
    error = transit_begin(page, &about);
    if (!error) {
        error = swap_enter_charged_locked(record, page, false);
        if (error)
            transit_end(page);
    }
    spinlock_release(&swap_lock);
    if (error)
        (void)index_erase(&object->swapped, record->place.index);
    return error;
}

int object_swap_out_locked(struct memsrv_context *worker, struct object *object, struct page *page, uint64_t slot)
{
    struct swap_record *record = swap_slot_is_valid(slot) ? swap_record_new() : NULL;

    if (!record)
        return -ENOMEM;
    record->slot = slot;
    record->place = (struct swap_place){.object = object->id, .index = page->index};
    record->zero_from = PAGE_SIZE;
    int error = enter(object, page, record);
    if (error) {
        swap_record_free(record);
        return error;
    }
    (void)index_erase(&object->pages, page->index);
    object_unlink_page(object, page);
    worker->user_pages++;
    spinlock_acquire(&swap_lock);
    record->dirty = true;
    swap_cache_locked(record, page);
    spinlock_release(&swap_lock);
    return 0;
}

/* --- In ----------------------------------------------------------------------------------------------------------- */

/* Moves the page of a record from the swap cache to its object. ENOMEM. */
static int take_back(struct memsrv_context *worker, struct object *object, struct swap_record *record)
    REQUIRES(object->lock, swap_lock)
{
    const uint64_t index = record->place.index, zero_from = record->zero_from;
    struct page *page = record->page;

    int error = index_insert(&object->pages, index, page);
    if (error)
        return error;
    (void)index_erase(&object->swapped, index);
    swap_take_locked(worker, record);
    worker->user_pages--;
    object_link_page(object, index, page);
    memset(page_window(page) + zero_from, 0, PAGE_SIZE - zero_from);
    return 0;
}

int object_swap_in_locked(struct memsrv_context *worker, struct object *object, uint64_t index, bool wait,
                          struct page **page)
{
    struct swap_record *record = index_find(&object->swapped, index);
    int error;

    if (!record)
        return 0;
    const struct parking_request request = {.key = {MEMSRV_DEMAND_SWAP_IN, 0, record->slot},
                                            .first = record->slot,
                                            .count = 1,
                                            .access = MEMSRV_PROTECT_READ};
    spinlock_acquire(&swap_lock);
    if (record->page && !(record->page->flags & (PAGE_FRESH | PAGE_TRANSIT)) && record->pins == 0) {
        *page = record->page;
        error = take_back(worker, object, record);
        if (error)
            *page = NULL;
    } else {
        error = wait ? parking_wait(worker, &request) : -ENOENT;
    }
    spinlock_release(&swap_lock);
    return error;
}

int object_swap_restore(struct memsrv_context *worker, uint64_t id, uint64_t index)
{
    struct page *page = NULL;
    struct object *object;

    int error = object_find(id, &object);
    if (error)
        return error;
    spinlock_acquire(&object->lock);
    error = object_swap_in_locked(worker, object, index, false, &page);
    spinlock_release(&object->lock);
    object_put(worker, object);
    return error == -ENOENT ? -EAGAIN : error;
}

/* --- Gone --------------------------------------------------------------------------------------------------------- */

void object_swap_drop_locked(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
{
    struct swap_record *record;
    uint64_t index = first;

    while (first < end && (record = index_next(&object->swapped, &index, end - 1)) != NULL) {
        const uint64_t slot = record->slot;
        (void)index_erase(&object->swapped, index);
        object_uncharge_page(object);
        spinlock_acquire(&swap_lock);
        swap_abandon_locked(worker, record);
        parking_complete(MEMSRV_DEMAND_SWAP_IN, 0, slot, slot, 0);
        spinlock_release(&swap_lock);
    }
}

void object_swap_cut_locked(struct object *object, uint64_t size)
{
    struct swap_record *record = size % PAGE_SIZE ? index_find(&object->swapped, size >> PAGE_SHIFT) : NULL;

    if (record && size % PAGE_SIZE < record->zero_from)
        record->zero_from = size % PAGE_SIZE;
}

bool object_swap_ok_locked(struct object *object)
{
    const struct swap_record *record;
    uint64_t index = 0, count = 0;
    bool ok = index_check(&object->swapped) == 0;

    spinlock_acquire(&swap_lock);
    while (ok && (record = index_next(&object->swapped, &index, UINT64_MAX))) {
        ok = swap_find_locked(record->slot) == record && record->place.object == object->id &&
             record->place.index == index && !record->place.family && !index_find(&object->pages, index);
        count++;
        index++;
    }
    spinlock_release(&swap_lock);
    return ok && count == object->swapped.count;
}
