/* SPDX-License-Identifier: MIT */
/*
 * Taking pages away from an object: first nobody gets them any more (who faults there tries again), then they leave every
 * space, then they go. For want of a translation table the second step can end half way; then all stay the object's, and
 * who had them mapped faults once more.
 */
#include <errno.h>

#include <base/bits.h>
#include <quire/syscall.h>

#include "memory.h"
#include "object.h"
#include "object_internal.h"
#include "space_pages.h"
#include "space_tables.h"

#define SPACE_WORDS (SPACES_MAX / 64)

/* Notes which spaces have areas of the object. */
static void find_spaces(struct object *object, uint64_t found[SPACE_WORDS])
{
    memset(found, 0, SPACE_WORDS * sizeof(*found));
    spinlock_acquire(&object->lock);
    LIST_FOR_EACH (link, &object->areas) {
        const struct space *space = CONTAINER_OF(link, struct vma, object_link)->owner;
        uint64_t place = (uint64_t)(space - spaces);
        found[place / 64] |= 1UL << place % 64;
    }
    spinlock_release(&object->lock);
}

/* Unmaps what an area shows of [first, end). ENOMEM: the space cannot part from tables that others use, too. */
static int unmap_area(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t first,
                      uint64_t end, bool copies) REQUIRES(space->lock)
{
    uint64_t shown = area->offset >> PAGE_SHIFT, pages = (area->end - area->start) >> PAGE_SHIFT;
    uint64_t low = first > shown ? first - shown : 0;
    uint64_t high = end > shown ? end - shown : 0;
    const bool whole = copies || (area->flags & VMA_SHARED);

    if (high > pages)
        high = pages;
    if (low >= high || !area->touched)
        return 0;
    uint64_t from = area->start + (low << PAGE_SHIFT), to = area->start + (high << PAGE_SHIFT);
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

static int unmap_in_space(struct memsrv_context *worker, struct space *space, const struct object *object,
                          uint64_t first, uint64_t end, bool copies) REQUIRES(space->lock)
{
    int error = 0;

    if (!space->pid || !space_has_memory(space))
        return 0;
    space_wait_for_answers_locked(worker, space);
    for (const struct vma *area = vma_first(&space->areas); area && !error; area = vma_next(&space->areas, area)) {
        if (area->object == object)
            error = unmap_area(worker, space, area, first, end, copies);
    }
    return error;
}

/* Unmaps [first, end) of the object in all spaces that map it now. */
static int unmap_pass(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end, bool copies)
{
    uint64_t found[SPACE_WORDS];
    int error = 0;

    find_spaces(object, found);
    for (uint32_t i = 0; i < SPACES_MAX && !error; i++) {
        if (!(found[i / 64] & 1UL << i % 64))
            continue;
        spinlock_acquire(&spaces[i].lock);
        error = unmap_in_space(worker, &spaces[i], object, first, end, copies);
        spinlock_release(&spaces[i].lock);
    }
    return error;
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
        error = unmap_pass(worker, object, first, end, copies);
    } while (!error && !is_unmapped(object, first, end));
    return error;
}

/* Frees the pages of [first, end), which nothing maps. */
static void free_pages(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
    REQUIRES(object->lock)
{
    uint64_t index = first;
    struct page *page;

    while (first < end && (page = index_next(&object->pages, &index, end - 1)) != NULL) {
        (void)index_erase(&object->pages, index);
        object_forget_page(object, page);
        page_give(worker, page);
    }
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
    if (last)
        memset(page_window(last) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
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
    if (!error && shrinks)
        zero_rest(object, size);
    change_end(object);
    return error;
}

/* Makes the pages of [first, end) zeros where they are. */
static void zero_pages(struct object *object, uint64_t first, uint64_t end) REQUIRES(object->lock)
{
    uint64_t index = first;
    const struct page *page;

    while ((page = index_next(&object->pages, &index, end - 1)) != NULL && index++ != UINT64_MAX)
        page_zero(page);
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
        zero_pages(object, first, end);
    else
        free_pages(worker, object, first, end);
    change_end(object);
}
