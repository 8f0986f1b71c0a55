/* SPDX-License-Identifier: MIT */
/*
 * Taking pages away from an object: first nobody gets them any more (who faults there tries again), then they leave every
 * space, then they go. For want of a translation table the second step can end half way; then all stay the object's, and
 * who had them mapped faults once more.
 */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_protocol.h>
#include <quire/syscall.h>

#include "memory.h"
#include "object.h"
#include "object_internal.h"
#include "object_visit.h"
#include "parking.h"
#include "space_pages.h"
#include "space_tables.h"

/* Unmaps what an area shows; `context`: whether copies that private mappings have go, too. ENOMEM: the space cannot part
 * from tables that others use, too. */
static int unmap_area(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from, uint64_t to,
                      void *context) NO_THREAD_SAFETY_ANALYSIS
{
    const bool *copies = context;
    const bool whole = *copies || (area->flags & VMA_SHARED);

    /* Single pages can be anywhere in the range. */
    int error = space_ready_to_change_locked(space, from, to, !whole);
    if (error)
        return error;
    if (whole)
        space_release_locked(worker, space, from, to);
    else
        space_release_object_pages_locked(worker, space, from, to);
    return 0;
}

/* True if the kernel knows of no translation of these pages. */
static bool is_unmapped(struct object *object, uint64_t first, uint64_t end)
{
    uint64_t index = first, mappings = 0;
    const struct page *page;

    spinlock_acquire(&object->lock);
    while (!mappings && first < end && (page = index_next(&object->pages, &index, end - 1)) != NULL) {
        long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &mappings);
        ASSERT(type == FRAME_USER);
        if (type != FRAME_USER || index++ == UINT64_MAX)
            break;
    }
    spinlock_release(&object->lock);
    return !mappings;
}

/* A space that was forked while a pass went on may have got translations from one that was still to be visited: so the
 * passes go on until the kernel knows of no translation. */
static int unmap_everywhere(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end,
                            bool copies)
{
    int error;

    do {
        error = object_visit(worker, object, first, end, unmap_area, &copies);
    } while (!error && !is_unmapped(object, first, end));
    return error;
}

/* Frees the pages of [first, end), which nothing maps; those in transit when that ends. */
static void free_pages(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
    REQUIRES(object->lock)
{
    uint64_t index = first;
    struct page *page;

    while (first < end && (page = index_next(&object->pages, &index, end - 1)) != NULL) {
        (void)index_erase(&object->pages, index);
        if (page->flags & PAGE_TRANSIT) {
            page->flags |= PAGE_ORPHAN;
            continue;
        }
        object_forget_page(object, page);
        page_give(worker, page);
    }
    object_swap_drop_locked(worker, object, first, end);
}

/* Begins to take [first, end) away: from now on nobody gets a page there. One change of an object at a time. */
static void change_begin(struct object *object, uint64_t first, uint64_t end) ACQUIRE(object->lock)
{
    spinlock_acquire(&object->lock);
    while (object->leaving_first < object->leaving_end) {
        spinlock_release(&object->lock);
        (void)sys_yield();
        spinlock_acquire(&object->lock);
    }
    object->leaving_first = first;
    object->leaving_end = end;
}

static void change_end(struct object *object) RELEASE(object->lock)
{
    object->leaving_first = object->leaving_end = 0;
    spinlock_release(&object->lock);
}

/* What is left of the last page reads as zeros if the object grows again. */
static void zero_rest(struct object *object, uint64_t size) REQUIRES(object->lock)
{
    struct page *last = size % PAGE_SIZE ? index_find(&object->pages, size >> PAGE_SHIFT) : NULL;
    if (!last || !object_page_is_usable(last))
        return;
    memset(page_window(last) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    if (object->backed)
        object_dirty_page_locked(object, last);
}

int object_resize(struct memsrv_context *worker, struct object *object, uint64_t size)
{
    const uint64_t end = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    int error = 0;

    if (size > OBJECT_SIZE_LIMIT)
        return -EINVAL;
    change_begin(object, end, UINT64_MAX);
    const bool shrinks = size < object->size;
    if (shrinks) {
        spinlock_release(&object->lock);
        error = unmap_everywhere(worker, object, end, UINT64_MAX, true);
        spinlock_acquire(&object->lock);
    }
    if (!error) {
        object->size = size;
        free_pages(worker, object, end, UINT64_MAX);
    }
    if (!error && shrinks) {
        zero_rest(object, size);
        object_swap_cut_locked(object, size);
    }
    change_end(object);
    /* Who waits for a page that is cut off learns it. */
    if (shrinks)
        parking_complete(MEMSRV_DEMAND_FILL, object->id, end, UINT64_MAX, 0);
    return error;
}

/* Makes the pages of [first, end) zeros where they are. */
static void zero_pages(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
    REQUIRES(object->lock)
{
    uint64_t index = first;
    struct page *page;

    while ((page = index_next(&object->pages, &index, end - 1)) != NULL && index++ != UINT64_MAX) {
        if (!object_page_is_usable(page))
            continue;
        page_zero(page);
        if (object->backed)
            object_dirty_page_locked(object, page);
    }
    object_swap_drop_locked(worker, object, first, end);
}

void object_discard(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
{
    if (first >= end)
        return;
    change_begin(object, first, end);
    spinlock_release(&object->lock);
    int error = unmap_everywhere(worker, object, first, end, false);
    spinlock_acquire(&object->lock);
    if (error)
        zero_pages(worker, object, first, end);
    else
        free_pages(worker, object, first, end);
    change_end(object);
    parking_complete(MEMSRV_DEMAND_FILL, object->id, first, end - 1, 0);
}
