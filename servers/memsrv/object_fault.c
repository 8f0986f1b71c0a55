/* SPDX-License-Identifier: MIT */
/* Faults in mappings of memory objects: shared pages, and private copies of them. */
#include <errno.h>

#include "areas.h"
#include "cow.h"
#include "memgroups.h"
#include "memory.h"
#include "object.h"
#include "object_backed.h"
#include "object_fault.h"
#include "space_pages.h"
#include "space_tables.h"
#include "swap.h"

/* Pages that one fault maps at most, in an aligned group of so many. */
#define FAULT_AROUND 32u

static bool is_private(const struct vma *area)
{
    return !(area->flags & VMA_SHARED);
}

/* The rights of the object's own page in the area: a private mapping writes to no page of the object, a shared one to a
 * page of a backed object only while that is dirty. */
static inline __attribute__((always_inline)) uint64_t own_rights(const struct vma *area, const struct page *page,
                                                                 uint64_t access)
{
    const struct object *object = area->object;
    uint64_t rights = (area->flags & VMA_ACCESS) | ENTRY_ACCESSED;
    if (is_private(area) || (object->backed && !(__atomic_load_n(&page->flags, __ATOMIC_RELAXED) & PAGE_DIRTY)))
        return rights & ~ENTRY_WRITE;
    return access & VMA_WRITE ? rights | ENTRY_DIRTY : rights;
}

/* Plans a copy of `source`, which becomes the space's own. `flags` say what it may take the place of. */
static int copy(struct memsrv_context *worker, struct space *space, const struct vma *area, struct object_fault *fault,
                const struct page *source, uint64_t flags) REQUIRES(space->lock)
{
    struct page *page = space_page_take(worker, space);
    if (!page)
        return -ENOMEM;
    page->owner = space->family;
    page->index = area_index(area, fault->address);
    cow_copy(page, source, area);
    fault->taken = page;
    fault->target = fault->address | flags;
    fault->item = page_address(page) | entry_flags(area->flags);
    return 0;
}

/* Gives what is mapped other rights, for which it takes a table of the space's own. ENOMEM. */
static int change_rights(struct space *space, uint64_t address, uint64_t rights) REQUIRES(space->lock)
{
    int error = space_ready_to_change_locked(space, address, address + PAGE_SIZE, false);
    if (!error)
        space_protect_locked(space, address, address + PAGE_SIZE, rights);
    return error;
}

/* A page of the object is mapped. */
static int fault_own(struct memsrv_context *worker, struct space *space, const struct vma *area,
                     struct object_fault *fault, struct page *page) REQUIRES(space->lock)
{
    struct object *object = area->object;

    if (!is_private(area) && (fault->access & VMA_WRITE) && object->backed && !object_dirty_mapped(object, page))
        return 0; /* it is cut off, and the next fault finds that */
    if (is_private(area) && (fault->access & VMA_WRITE))
        return copy(worker, space, area, fault, page, MAP_ITEM_MAP | MAP_ITEM_REPLACE | MAP_ITEM_IF_READ_ONLY);
    if ((fault->access & VMA_ACCESS & ~fault->entry) || (fault->access & VMA_WRITE))
        return change_rights(space, fault->address, own_rights(area, page, fault->access) & VMA_ACCESS);
    return 0;
}

/* A copy is mapped, which other spaces of the family may have, too; or swapped. */
static int fault_copy(struct memsrv_context *worker, struct space *space, struct vma *area, struct object_fault *fault)
    REQUIRES(space->lock)
{
    struct page *source;

    if (fault->entry & ENTRY_SOFT)
        return swap_bring_locked(worker, space, area, fault->address, fault->entry, fault->access);
    switch (cow_decide_locked(worker, space, area, fault->entry, fault->access, &source)) {
    case COW_COPY:
        return copy(worker, space, area, fault, source, COW_REPLACE);
    case COW_PROMOTE:
        fault->target = fault->address | MAP_ITEM_PROMOTE;
        fault->item = entry_flags(area->flags);
        return 0;
    case COW_RIGHTS:
        return change_rights(space, fault->address, cow_rights(area));
    default:
        return 0;
    }
}

/* Something is mapped. */
static int fault_present(struct memsrv_context *worker, struct space *space, struct vma *area,
                         struct object_fault *fault) REQUIRES(space->lock)
{
    struct page *page = fault->entry & ENTRY_SOFT ? NULL : page_of((fault->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    return page && (page->flags & PAGE_OF_OBJECT) ? fault_own(worker, space, area, fault, page)
                                                  : fault_copy(worker, space, area, fault);
}

/* Charges the object's page to the memory group of a space that is about to map it, if it is nobody's yet. ENOMEM. */
static int charge(struct memsrv_context *worker, const struct space *space, const struct vma *area, uint64_t address)
    REQUIRES(space->lock)
{
    if (__builtin_expect(space->standing.group == MEMGROUP_ROOT, 1))
        return 0;
    return object_charge_page(worker, area->object, area_index(area, address), space->standing.group);
}

/* Adds the pages of the object in [start, end) that it has and the space has not to items[]. */
static uint64_t find_around(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start,
                            uint64_t end, struct map_item items[FAULT_AROUND]) REQUIRES(space->lock)
{
    uint8_t present[FAULT_AROUND];
    struct page *pages[FAULT_AROUND];
    uint64_t count = 0;

    space_find_pages_locked(space, start, end, present);
    object_find_present(area->object, area_index(area, start), pages_of(end - start), pages);
    for (uint64_t address = start; address < end; address += PAGE_SIZE) {
        const uint64_t place = (address - start) >> PAGE_SHIFT;
        if (present[place] || !pages[place] || charge(worker, space, area, address))
            continue;
        if (area->flags & VMA_EXECUTE)
            machine_sync_code(page_window(pages[place]), PAGE_SIZE);
        items[count++] = (struct map_item){address | MAP_ITEM_MAP,
                                           page_address(pages[place]) | own_rights(area, pages[place], VMA_READ)};
    }
    return count;
}

/* Maps what the object has around a first touch, the touched page included: a program that reads on then finds it. ENOMEM:
 * there is no table for any of it. */
static int fault_around(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t touched)
    REQUIRES(space->lock)
{
    struct map_item items[FAULT_AROUND];
    uint64_t start = touched & ~(FAULT_AROUND * PAGE_SIZE - 1);
    uint64_t end = start + FAULT_AROUND * PAGE_SIZE;

    if (start < area->start)
        start = area->start;
    if (end > area->end)
        end = area->end;
    uint64_t count = find_around(worker, space, area, start, end, items);
    /* What cannot be mapped because another answer was faster is left to faults of its own. */
    int error = 0;
    space->resident += space_map_items_locked(space, items, count, &error);
    return error == -ENOMEM && !space_entry_locked(space, touched) ? -ENOMEM : 0;
}

/* What is wanted of the object's page: a private mapping reads it only. */
static enum object_want wanted(const struct vma *area, uint64_t access)
{
    return !is_private(area) && (access & VMA_WRITE) ? OBJECT_WRITE : OBJECT_READ;
}

int object_fault_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                        struct object_fault *fault)
{
    struct page *page;

    fault->target = 0;
    fault->taken = NULL;
    fault->adds = false;
    if (fault->entry) {
        /* The last word on it: another answer may be on its way. */
        space_wait_for_answers_locked(worker, space);
        fault->entry = space_entry_locked(space, fault->address);
        if (fault->entry)
            return fault_present(worker, space, area, fault);
    }
    worker->group_taking = space->standing.group;
    int error = object_page(worker, area->object, area_index(area, fault->address), wanted(area, fault->access), &page);
    worker->group_taking = MEMGROUP_ROOT;
    if (!error)
        error = charge(worker, space, area, fault->address);
    if (error)
        return error;
    area->touched = true;
    if (is_private(area) && (fault->access & VMA_WRITE)) {
        error = copy(worker, space, area, fault, page, MAP_ITEM_MAP);
    } else if (!(fault->access & VMA_WRITE) && !(area->flags & VMA_RANDOM)) {
        return fault_around(worker, space, area, fault->address);
    } else {
        if (area->flags & VMA_EXECUTE)
            machine_sync_code(page_window(page), PAGE_SIZE);
        fault->target = fault->address | MAP_ITEM_MAP;
        fault->item = page_address(page) | own_rights(area, page, fault->access);
    }
    fault->adds = !error;
    space->resident += fault->adds;
    return error;
}

void object_fault_undo_locked(struct memsrv_context *worker, struct space *space, const struct object_fault *fault)
{
    space->resident -= fault->adds;
    if (fault->taken)
        user_page_give(worker, fault->taken);
}
