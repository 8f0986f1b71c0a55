/* SPDX-License-Identifier: MIT */
/* Eviction and harvest: see evict.h. */
#include "evict.h"

#include <errno.h>

#include <quire/syscall.h>

#include "family.h"
#include "huge.h"
#include "memory.h"
#include "object_internal.h"
#include "object_visit.h"
#include "space_pages.h"
#include "swap.h"

static uint64_t evicted; /* atomic */

uint64_t evicted_pages(void)
{
    return __atomic_load_n(&evicted, __ATOMIC_RELAXED);
}

/* The object that has the page, with a use more; NULL if none has. What the descriptor says may be old news: only a number
 * is taken from it, and the object says whether it has the page. */
static struct object *object_of(struct page *page)
{
    struct object *object;

    if (!page || (__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & (PAGE_ALLOCATED | PAGE_OF_OBJECT)) !=
                     (PAGE_ALLOCATED | PAGE_OF_OBJECT))
        return NULL;
    return object_find(page->private_data, &object) ? NULL : object;
}

/* How many of the victims from the first on are pages that follow each other in the object. */
static uint64_t run_length(const struct object *object, const struct memsrv_victim *victims, uint64_t count)
{
    const uint64_t first = page_of(victims[0].pfn)->index;
    uint64_t length = 1;

    while (length < count) {
        const struct page *page = mem_map_find(&memory_map, victims[length].pfn);
        if (!page || !(page->flags & PAGE_OF_OBJECT) || page->private_data != object->id ||
            page->index != first + length)
            break;
        length++;
    }
    return length;
}

void evict(struct memsrv_context *worker, const struct memsrv_victim *victims, uint64_t count, uint8_t *results)
{
    for (uint64_t i = 0, length; i < count; i += length) {
        struct page *page = mem_map_find(&memory_map, victims[i].pfn);
        struct object *object = object_of(page);
        length = 1;
        if (object) {
            length = run_length(object, victims + i, count - i);
            evict_object_run(worker, object, victims + i, length, results + i);
            object_put(worker, object);
        } else {
            results[i] = page ? swap_evict(worker, page, victims[i].slot) : MEMSRV_EVICT_GONE;
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        if (results[i] == MEMSRV_EVICT_FREED)
            __atomic_fetch_add(&evicted, 1, __ATOMIC_RELAXED);
    }
}

/* --- Harvest ------------------------------------------------------------------------------------------------------ */

/* Adds what the translation at an address of a locked space says, if it is one of the page's, and clears it. */
static void harvest_at(struct space *space, uint64_t address, struct memsrv_touched *touched) REQUIRES(space->lock)
{
    uint64_t next;
    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, address, 1, ENTRY_ACCESSED, &next);
    const struct map_result *result = (const struct map_result *)ipc_buffer()->words;

    if (count != 1 || (result->entry & (ENTRY_SOFT | ENTRY_DEVICE)))
        return;
    const uint64_t entry = entry_at(result->entry, address);
    if ((entry & ENTRY_ADDRESS) >> PAGE_SHIFT != touched->pfn)
        return;
    touched->mappings++;
    touched->accessed |= !!(entry & ENTRY_ACCESSED);
    touched->dirty |= !!(entry & ENTRY_DIRTY);
}

static int harvest_area(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t from,
                        uint64_t to, void *context) NO_THREAD_SAFETY_ANALYSIS
{
    (void)worker;
    (void)area;
    for (uint64_t address = from; address < to; address += PAGE_SIZE)
        harvest_at(space, address, context);
    return 0;
}

static void harvest_anonymous(const struct page *page, struct memsrv_touched *touched)
{
    struct mapping mappings[SPACES_MAX];
    struct family *family = family_get(page);
    if (!family)
        return;
    uint32_t count = family_find_mappings(family, page, mappings, SPACES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct space *space = space_find(mappings[i].pid);
        if (!space_enter(space, mappings[i].pid))
            continue;
        harvest_at(space, mappings[i].address, touched);
        space_leave(space);
    }
    family_put(family);
}

struct memsrv_touched harvest_page(struct memsrv_context *worker, uint64_t pfn)
{
    struct memsrv_touched touched = {.pfn = pfn};
    struct page *page = mem_map_find(&memory_map, pfn);
    struct object *object = object_of(page);

    if (object) {
        const uint64_t index = page->index;
        int ignored = object_visit(worker, object, index, index + 1, harvest_area, &touched);
        (void)ignored; /* it gives none */
        touched.dirty |= !!(page->flags & PAGE_DIRTY);
        object_put(worker, object);
    } else if (page) {
        harvest_anonymous(page, &touched);
    }
    return touched;
}
