/* SPDX-License-Identifier: MIT */
/*
 * Memory objects for devices. A device knows nothing of a program's end: so what it may still be reading or writing is
 * held until its driver, which outlives the program or has reset the device, says that it is not.
 */
#include <errno.h>
#include <string.h>

#include <mm/buddy.h>

#include "memory.h"
#include "object_internal.h"
#include "space.h"
#include "transit.h"

static struct list held_objects; /* the registry's lock */

void objects_dma_init(void)
{
    list_init(&held_objects);
}

/* Which memory a device reaches. */
static gfp_t zone_flags(uint64_t limit)
{
    struct zone_info lowest;

    if (limit == 0 || limit >= WINDOW_SIZE)
        return GFP_USER;
    zone_read_info(&zones[ZONE_DMA], &lowest);
    return GFP_USER | (limit >= 1UL << 32 || lowest.managed_pages == 0 ? GFP_FLAG_DMA32 : GFP_FLAG_DMA);
}

static unsigned order_of(uint64_t pages)
{
    unsigned order = 0;
    while (1UL << order < pages)
        order++;
    return order;
}

/* Makes single pages of a block, so that each can be an object's. */
static void split(struct page *block, unsigned order)
{
    struct zone *zone = &zones[block->zone];

    if (order == 0)
        return;
    spinlock_acquire(&zone->lock);
    int error = buddy_split_allocated_locked(zone, block, order);
    ASSERT(error == 0);
    (void)error;
    spinlock_release(&zone->lock);
}

/* `pages` zeroed pages that lie one after the other; NULL: there are none. */
static struct page *take_row(uint64_t pages, uint64_t limit)
{
    const unsigned order = order_of(pages);
    struct page *block = pages_take(zone_flags(limit), order, 0);

    if (!block)
        return NULL;
    if (limit && page_address(block) + (pages << PAGE_SHIFT) > limit) {
        pages_give(block, order);
        return NULL;
    }
    split(block, order);
    for (uint64_t i = 0; i < pages; i++)
        page_zero(&block[i]);
    for (uint64_t i = pages; i < 1UL << order; i++)
        pages_give(&block[i], 0);
    return block;
}

/* Makes the pages of a row the object's. ENOMEM: it has some of them then. */
static int fill(struct object *object, struct page *row, uint64_t pages) REQUIRES(object->lock)
{
    for (uint64_t i = 0; i < pages; i++) {
        int error = index_insert(&object->pages, i, &row[i]);
        if (error) {
            while (i < pages)
                pages_give(&row[i++], 0);
            return error;
        }
        row[i].flags |= PAGE_OF_OBJECT;
        row[i].owner = object;
        row[i].index = i;
        row[i].private_data = object->id;
        object_count_pages(1);
    }
    return 0;
}

/* Takes a row and makes it the object's. ENOMEM: none, or only a part of it is the object's. */
static int add_row(struct object *object, uint64_t pages, uint64_t limit)
{
    struct page *row = take_row(pages, limit);
    if (!row)
        return -ENOMEM;
    spinlock_acquire(&object->lock);
    int error = fill(object, row, pages);
    spinlock_release(&object->lock);
    return error;
}

static void hold(struct object *object, uint64_t pid)
{
    spinlock_acquire(&registry_lock);
    object->held_for = pid;
    object->uses++;
    list_push_back(&held_objects, &object->held_link);
    spinlock_release(&registry_lock);
}

int object_create_dma(struct memsrv_context *worker, struct space *owner, uint64_t pages, uint64_t limit, uint64_t *id,
                      uint64_t *pfn)
{
    struct object *object;

    if (pages == 0 || pages > OBJECT_DMA_PAGES_MAX)
        return -EINVAL;
    int error = object_create(owner, pages << PAGE_SHIFT, true, true, &object);
    if (error)
        return error;
    object->pinned = true;
    error = add_row(object, pages, limit);
    if (error) {
        int ignored = object_release(worker, owner, object->id);
        ASSERT(ignored == 0);
        (void)ignored;
    } else {
        *id = object->id;
        spinlock_acquire(&object->lock);
        *pfn = page_pfn(index_find(&object->pages, 0));
        spinlock_release(&object->lock);
        object->row_pages = pages;
        object->row_pfn = *pfn;
        hold(object, owner->pid); /* from here on others find it */
    }
    object_put(worker, object);
    return error;
}

void object_end_hold_locked(struct object *object)
{
    if (!object->held_for)
        return;
    object->held_for = 0;
    list_remove(&object->held_link);
    bool last = object_end_use_locked(object);
    ASSERT(!last);
    (void)last;
}

uint64_t objects_held_after(uint64_t pid)
{
    uint64_t lowest = 0;

    spinlock_acquire(&registry_lock);
    LIST_FOR_EACH (link, &held_objects) {
        const struct object *object = CONTAINER_OF(link, struct object, held_link);
        if (!object->owner && object->held_for > pid && (!lowest || object->held_for < lowest))
            lowest = object->held_for;
    }
    spinlock_release(&registry_lock);
    return lowest;
}

/* An object that was held for a process that has ended and that is no longer, with its use now the caller's; or NULL. */
static struct object *take_held(uint64_t pid)
{
    struct object *found = NULL;

    spinlock_acquire(&registry_lock);
    LIST_FOR_EACH (link, &held_objects) {
        struct object *object = CONTAINER_OF(link, struct object, held_link);
        if (object->owner || object->held_for != pid)
            continue;
        found = object;
        break;
    }
    if (found) {
        found->held_for = 0;
        list_remove(&found->held_link);
    }
    spinlock_release(&registry_lock);
    return found;
}

void objects_settle(struct memsrv_context *worker, uint64_t pid)
{
    struct object *object;

    while (pid && (object = take_held(pid)))
        object_put(worker, object);
}

/* The object of which the page is, with a use more, which keeps the page; NULL: none is held. */
static struct object *use_of_page(uint64_t pfn)
{
    struct object *found = NULL;

    spinlock_acquire(&registry_lock);
    LIST_FOR_EACH (link, &held_objects) {
        struct object *object = CONTAINER_OF(link, struct object, held_link);
        if (pfn < object->row_pfn || pfn - object->row_pfn >= object->row_pages)
            continue;
        object->uses++;
        found = object;
        break;
    }
    spinlock_release(&registry_lock);
    return found;
}

/* What keeps a page where it is while a copy is made: its object, or its being in transit. */
struct kept {
    struct object *object;
    struct page *page;
};

static bool keep(uint64_t pfn, struct kept *kept)
{
    *kept = (struct kept){.page = transit_use(pfn)};
    if (!kept->page)
        kept->object = use_of_page(pfn);
    return kept->page || kept->object;
}

static void let_go(struct memsrv_context *worker, const struct kept *kept)
{
    if (kept->page)
        transit_release(kept->page);
    else if (kept->object)
        object_put(worker, kept->object);
}

static int copy_page(struct memsrv_context *worker, uint64_t from, uint64_t to, uint64_t bytes)
{
    struct kept source, target;
    const bool kept_source = keep(from, &source), kept_target = keep(to, &target);

    if (kept_source && kept_target)
        memmove(window(to << PAGE_SHIFT), window(from << PAGE_SHIFT), bytes);
    let_go(worker, &source);
    let_go(worker, &target);
    return kept_source && kept_target ? 0 : -EFAULT;
}

int objects_dma_copy(struct memsrv_context *worker, const uint64_t *pairs, uint64_t bytes)
{
    int error = 0;

    for (; bytes > 0 && !error; pairs += 2) {
        const uint64_t part = bytes < PAGE_SIZE ? bytes : PAGE_SIZE;
        error = copy_page(worker, pairs[0], pairs[1], part);
        bytes -= part;
    }
    return error;
}
