/* SPDX-License-Identifier: MIT */
/* Visiting the areas that map an object: see object_visit.h. */
#include "object_visit.h"

#include <errno.h>

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

/* Visits what an area shows of [first, end). */
static int visit_area(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t first,
                      uint64_t end, object_visitor *visitor, void *context) REQUIRES(space->lock)
{
    uint64_t shown = area->offset >> PAGE_SHIFT, pages = (area->end - area->start) >> PAGE_SHIFT;
    uint64_t low = first > shown ? first - shown : 0;
    uint64_t high = end > shown ? end - shown : 0;

    if (high > pages)
        high = pages;
    if (low >= high || !area->touched)
        return 0;
    return visitor(worker, space, area, area->start + (low << PAGE_SHIFT), area->start + (high << PAGE_SHIFT), context);
}

static int visit_space(struct memsrv_context *worker, struct space *space, const struct object *object, uint64_t first,
                       uint64_t end, object_visitor *visitor, void *context) REQUIRES(space->lock)
{
    int error = 0;

    if (!space->pid || !space_has_memory(space))
        return 0;
    space_wait_for_answers_locked(worker, space);
    for (struct vma *area = vma_first(&space->areas); area && !error; area = vma_next(&space->areas, area)) {
        if (area->object == object)
            error = visit_area(worker, space, area, first, end, visitor, context);
    }
    return error;
}

int object_visit(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end,
                 object_visitor *visitor, void *context)
{
    uint64_t found[SPACE_WORDS];
    int error = 0;

    find_spaces(object, found);
    for (uint32_t i = 0; i < SPACES_MAX && !error; i++) {
        if (!(found[i / 64] & 1UL << i % 64))
            continue;
        spinlock_acquire(&spaces[i].lock);
        error = visit_space(worker, &spaces[i], object, first, end, visitor, context);
        spinlock_release(&spaces[i].lock);
    }
    return error;
}

uint64_t object_attachments(struct object *object)
{
    spinlock_acquire(&object->lock);
    uint64_t attachments = object->attachments;
    spinlock_release(&object->lock);
    return attachments;
}

/* A private mapping writes to no page of the object. ENOMEM. */
static int protect(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from, uint64_t to,
                   void *context) NO_THREAD_SAFETY_ANALYSIS
{
    (void)worker, (void)context;
    if ((area->flags & (VMA_SHARED | VMA_WRITE)) != (VMA_SHARED | VMA_WRITE))
        return 0;
    int error = space_ready_to_change_locked(space, from, to, true);
    if (!error)
        space_protect_locked(space, from, to, area->flags & VMA_ACCESS & ~VMA_WRITE);
    return error;
}

bool object_protect_range(struct memsrv_context *worker, struct object *object, uint64_t first, uint64_t end)
{
    uint64_t attachments;
    int error;

    do {
        attachments = object_attachments(object);
        error = object_visit(worker, object, first, end, protect, NULL);
    } while (!error && object_attachments(object) != attachments);
    return !error;
}
