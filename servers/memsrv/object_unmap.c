/* SPDX-License-Identifier: MIT */
/* Taking pages away from an object: first nobody finds them any more, then they leave every space, then they go. */
#include <errno.h>

#include <base/bits.h>
#include <quire/syscall.h>

#include "memory.h"
#include "object.h"
#include "object_internal.h"
#include "space_pages.h"

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

/* Unmaps what an area shows of [first, end). */
static void unmap_area(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t first,
                       uint64_t end, bool copies) REQUIRES(space->lock)
{
    uint64_t shown = area->offset >> PAGE_SHIFT, pages = (area->end - area->start) >> PAGE_SHIFT;
    uint64_t low = first > shown ? first - shown : 0;
    uint64_t high = end > shown ? end - shown : 0;

    if (high > pages)
        high = pages;
    if (low >= high || !area->touched)
        return;
    uint64_t from = area->start + (low << PAGE_SHIFT), to = area->start + (high << PAGE_SHIFT);
    if (copies || (area->flags & VMA_SHARED))
        space_release_locked(worker, space, from, to);
    else
        space_release_object_pages_locked(worker, space, from, to);
}

/* Unmaps [first, end) of the object in all spaces that map it now. */
static void unmap_pass(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end, bool copies)
{
    uint64_t found[SPACE_WORDS];

    find_spaces(object, found);
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        struct space *space = &spaces[i];
        if (!(found[i / 64] & 1UL << i % 64))
            continue;
        spinlock_acquire(&space->lock);
        if (space->pid && space_has_memory(space)) {
            space_wait_for_answers_locked(worker, space);
            for (const struct vma *area = vma_first(&space->areas); area; area = vma_next(&space->areas, area)) {
                if (area->object == object)
                    unmap_area(worker, space, area, first, end, copies);
            }
        }
        spinlock_release(&space->lock);
    }
}

/* Frees the pages of the list that nothing maps. */
static void free_unmapped(struct memsrv_context *worker, struct object *object, struct list *doomed)
{
    LIST_FOR_EACH_SAFE(link, doomed)
    {
        struct page *page = CONTAINER_OF(link, struct page, link);
        uint64_t mappings = 0;
        long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &mappings);
        ASSERT(type == FRAME_USER);
        if (type != FRAME_USER || mappings)
            continue;
        list_remove(link);
        object_forget_page(object, page);
        page_give(worker, page);
    }
}

/* Takes the pages of [first, end) out of the index. */
static void doom(struct object *object, uint64_t first, uint64_t end, struct list *doomed) REQUIRES(object->lock)
{
    uint64_t index = first;
    struct page *page;

    list_init(doomed);
    if (first >= end)
        return;
    while ((page = index_next(&object->pages, &index, end - 1))) {
        (void)index_erase(&object->pages, index);
        list_push_back(doomed, &page->link);
    }
}

/* A space that was forked while a pass went on may have got translations from one that was still to be visited: so the
 * passes go on until the kernel knows of no translation. */
static void unmap_and_free(struct memsrv_context *worker, struct object *object, struct list *doomed, uint64_t first,
                           uint64_t end, bool copies)
{
    do {
        unmap_pass(worker, object, first, end, copies);
        free_unmapped(worker, object, doomed);
    } while (!list_empty(doomed));
}

int object_resize(struct memsrv_context *worker, struct object *object, uint64_t size)
{
    struct list doomed;
    uint64_t end = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;

    if (size > OBJECT_SIZE_LIMIT)
        return -EINVAL;
    spinlock_acquire(&object->lock);
    bool shrinks = size < object->size;
    object->size = size;
    doom(object, end, UINT64_MAX, &doomed);
    /* What is left of the last page reads as zeros if the object grows again. */
    struct page *last = shrinks && size % PAGE_SIZE ? index_find(&object->pages, size >> PAGE_SHIFT) : NULL;
    if (last)
        memset(page_window(last) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    spinlock_release(&object->lock);
    if (shrinks)
        unmap_and_free(worker, object, &doomed, end, UINT64_MAX, true);
    return 0;
}

void object_discard(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
{
    struct list doomed;

    spinlock_acquire(&object->lock);
    doom(object, first, end, &doomed);
    spinlock_release(&object->lock);
    if (!list_empty(&doomed))
        unmap_and_free(worker, object, &doomed, first, end, false);
}
