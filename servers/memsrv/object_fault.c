/* SPDX-License-Identifier: MIT */
/* Faults in mappings of memory objects: shared pages, and private copies of them. */
#include <errno.h>

#include "areas.h"
#include "memory.h"
#include "object.h"
#include "object_fault.h"
#include "space_pages.h"

static bool is_private(const struct vma *area)
{
    return !(area->flags & VMA_SHARED);
}

/* The rights of the object's own page in the area: a private mapping writes to no page of the object. */
static uint64_t own_rights(const struct vma *area, uint64_t access)
{
    uint64_t rights = (area->flags & VMA_ACCESS) | ENTRY_ACCESSED;
    if (is_private(area))
        return rights & ~ENTRY_WRITE;
    return access & VMA_WRITE ? rights | ENTRY_DIRTY : rights;
}

/* Makes fault->page a copy of `source`, which becomes the space's own. */
static int copy(struct memsrv_context *worker, struct space *space, const struct vma *area, struct object_fault *fault,
                const struct page *source) REQUIRES(space->lock)
{
    struct page *page = page_take(worker);
    if (!page)
        return -ENOMEM;
    memcpy(page_window(page), page_window(source), PAGE_SIZE);
    page->owner = space;
    page->index = fault->address;
    fault->page = page;
    fault->rights = entry_flags(area->flags);
    return 0;
}

/* Something is mapped. Gives it the rights that the area has by now, or plans to replace it by a copy. */
static int fault_present(struct memsrv_context *worker, struct space *space, const struct vma *area,
                         struct object_fault *fault) REQUIRES(space->lock)
{
    struct page *page = page_of((fault->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    bool objects = page->flags & PAGE_OF_OBJECT;

    if (objects && is_private(area) && (fault->access & VMA_WRITE)) {
        int error = copy(worker, space, area, fault, page);
        if (error)
            return error;
        fault->replaces = true;
        space->object_resident--;
        return 0;
    }
    uint64_t rights = (area->flags & VMA_ACCESS) & (objects && is_private(area) ? ~VMA_WRITE : ~0UL);
    if (fault->access & VMA_ACCESS & ~fault->entry)
        space_protect_locked(space, fault->address, fault->address + PAGE_SIZE, rights);
    return 0;
}

int object_fault_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                        struct object_fault *fault)
{
    struct page *page;

    fault->page = NULL;
    fault->replaces = false;
    if (fault->entry) {
        /* The last word on it: another answer may be on its way. */
        space_wait_for_answers_locked(worker, space);
        fault->entry = space_entry_locked(space, fault->address);
        if (fault->entry)
            return fault_present(worker, space, area, fault);
    }
    int error = object_page(worker, area->object, area_index(area, fault->address), true, &page);
    if (error)
        return error;
    area->touched = true;
    if (area->flags & VMA_EXECUTE)
        machine_sync_code(page_window(page), PAGE_SIZE);
    if (is_private(area) && (fault->access & VMA_WRITE)) {
        error = copy(worker, space, area, fault, page);
        if (error)
            return error;
        space->resident++;
        return 0;
    }
    fault->page = page;
    fault->rights = own_rights(area, fault->access);
    space->resident++;
    space->object_resident++;
    return 0;
}

void object_fault_undo_locked(struct memsrv_context *worker, struct space *space, const struct object_fault *fault)
{
    if (fault->replaces)
        space->object_resident++;
    else
        space->resident--;
    if (fault->page->flags & PAGE_OF_OBJECT)
        space->object_resident--;
    else
        page_give(worker, fault->page);
}
