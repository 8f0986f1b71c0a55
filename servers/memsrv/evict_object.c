/* SPDX-License-Identifier: MIT */
/*
 * Evicting pages of objects. The pages are busy first: who wants one waits. Then they leave every space, but for those that
 * a locked area shows; then those that nobody has written to or taken away meanwhile leave the object.
 */
#include <errno.h>

#include <quire/syscall.h>

#include "evict.h"
#include "memory.h"
#include "object_internal.h"
#include "object_visit.h"
#include "parking.h"
#include "space_pages.h"
#include "space_tables.h"

/* A run, and what is known of it. */
struct run {
    const struct memsrv_victim *victims;
    uint8_t *results;
    uint64_t first, count; /* index of the first page in the object */
    bool busy[MEMSRV_BATCH_PAGES];
    bool locked[MEMSRV_BATCH_PAGES];
};

/* The page of the run at place i, if the object still has it there. */
static struct page *page_at(struct object *object, const struct run *run, uint64_t i) REQUIRES(object->lock)
{
    struct page *page = index_find(&object->pages, run->first + i);
    return page && page_pfn(page) == run->victims[i].pfn ? page : NULL;
}

/* Makes those pages busy that may go. True: there are some. */
static bool begin(struct object *object, struct run *run)
{
    bool any = false;

    spinlock_acquire(&object->lock);
    for (uint64_t i = 0; i < run->count; i++) {
        struct page *page = page_at(object, run, i);
        if (!page)
            run->results[i] = MEMSRV_EVICT_GONE;
        else if (page->flags & (PAGE_TRANSIT | PAGE_FRESH | PAGE_BUSY))
            run->results[i] = MEMSRV_EVICT_BUSY;
        else if (page->flags & PAGE_DIRTY)
            run->results[i] = MEMSRV_EVICT_DIRTY;
        else if (!object->backed && run->victims[i].slot == 0)
            run->results[i] = MEMSRV_EVICT_SLOT;
        else
            run->busy[i] = any = true;
        if (run->busy[i])
            page->flags |= PAGE_BUSY;
    }
    spinlock_release(&object->lock);
    return any;
}

static bool area_object_is_backed(const struct vma *area)
{
    const struct object *object = area->object;
    return object->backed;
}

/* Unmaps what an area shows of the run, or notes that it is locked. */
static int unmap_area(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from, uint64_t to,
                      void *context) NO_THREAD_SAFETY_ANALYSIS
{
    struct run *run = context;

    if ((area->flags & VMA_LOCKED) || (!area_object_is_backed(area) && (space->roles & MEMSRV_ROLE_UNEVICTABLE))) {
        const uint64_t first = ((area->offset + (from - area->start)) >> PAGE_SHIFT) - run->first;
        for (uint64_t i = 0; i < (to - from) >> PAGE_SHIFT; i++)
            run->locked[first + i] = true;
    } else if (space_ready_to_change_locked(space, from, to, true)) {
        return 0; /* no table to be had: what is mapped still is busy */
    } else if (area->flags & VMA_SHARED) {
        space_release_locked(worker, space, from, to);
    } else {
        space_release_object_pages_locked(worker, space, from, to);
    }
    return 0;
}

static bool is_mapped(const struct page *page)
{
    uint64_t mappings = 0;
    long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &mappings);
    return type != FRAME_USER || mappings != 0;
}

/* A page that nothing maps goes to a slot. */
static uint8_t swap_out(struct memsrv_context *worker, struct object *object, struct page *page, uint64_t slot)
    REQUIRES(object->lock)
{
    if (slot == 0)
        return MEMSRV_EVICT_SLOT;
    int error = object_swap_out_locked(worker, object, page, slot);
    if (!error)
        return MEMSRV_EVICT_WRITE;
    return error == -ENOMEM ? MEMSRV_EVICT_NO_MEMORY : MEMSRV_EVICT_BUSY;
}

/* What becomes of one busy page. */
static uint8_t end_page(struct memsrv_context *worker, struct object *object, struct run *run, uint64_t i)
    REQUIRES(object->lock)
{
    struct page *page = page_at(object, run, i);

    if (!page || !(page->flags & PAGE_BUSY))
        return MEMSRV_EVICT_GONE; /* it was cut off, and is freed by who did that */
    page->flags &= ~PAGE_BUSY;
    if (run->locked[i])
        return MEMSRV_EVICT_LOCKED;
    if (page->flags & PAGE_DIRTY)
        return MEMSRV_EVICT_DIRTY;
    if (is_mapped(page))
        return MEMSRV_EVICT_BUSY;
    if (!object->backed)
        return swap_out(worker, object, page, run->victims[i].slot);
    (void)index_erase(&object->pages, page->index);
    object_forget_page(object, page);
    page_give(worker, page);
    return MEMSRV_EVICT_FREED;
}

void evict_object_run(struct memsrv_context *worker, struct object *object, const struct memsrv_victim *victims,
                      uint64_t count, uint8_t *results)
{
    struct run run = {.victims = victims, .results = results, .count = count, .first = page_of(victims[0].pfn)->index};

    if (object->pinned || object->kept) {
        memset(results, MEMSRV_EVICT_LOCKED, count);
        return;
    }
    if (!begin(object, &run))
        return;
    int ignored = object_visit(worker, object, run.first, run.first + count, unmap_area, &run);
    (void)ignored; /* it gives none */
    spinlock_acquire(&object->lock);
    for (uint64_t i = 0; i < count; i++) {
        if (run.busy[i])
            results[i] = end_page(worker, object, &run, i);
    }
    spinlock_release(&object->lock);
    parking_complete(MEMSRV_DEMAND_FILL, object->id, run.first, run.first + count - 1, 0);
}
