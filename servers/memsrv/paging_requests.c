/* SPDX-License-Identifier: MIT */
/* The pager's requests about pages, but for those of evict.c; and what anybody may ask about paging. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <proto/pids.h>
#include <quire/syscall.h>

#include "evict.h"
#include "memory.h"
#include "object_backed.h"
#include "pager.h"
#include "paging_pages.h"
#include "parking.h"
#include "requests.h"
#include "reservation.h"
#include "space_tables.h"
#include "swap.h"
#include "transit.h"

/* Begins a request of the pager's: EPERM if the caller is somebody else. Pages come from the reserve if there are no
 * others, since what the pager does gives more back. */
static int enter_pager(struct memsrv_context *worker, const struct message *request)
{
    if (!pager_is_caller(request))
        return -EPERM;
    worker->reserve = true;
    return 0;
}

/* Number i of a list of page frame numbers. */
static uint64_t pfn_at(const void *pages, size_t i)
{
    uint64_t pfn;
    memcpy(&pfn, (const char *)pages + i * sizeof(pfn), sizeof(pfn));
    return pfn;
}

static bool status_is_known(int64_t status)
{
    return status <= 0 && status > -4096;
}

/* --- Backed objects ----------------------------------------------------------------------------------------------- */

int memsrv_handle_object_backed_create(struct memsrv_context *context, const struct message *request, uint64_t size,
                                       uint64_t cookie, uint64_t *id)
{
    struct object *object;
    struct space *space;

    if (!enter_own(request, &space))
        return -ESRCH;
    int error = space->roles & MEMSRV_ROLE_FILE_SERVER ? object_create(space, size, false, false, &object) : -EPERM;
    if (!error)
        object_set_backed(object, cookie);
    space_leave(space);
    if (error)
        return error;
    *id = object->id;
    object_put(context, object); /* it is the caller's now */
    return 0;
}

int memsrv_handle_object_error(struct memsrv_context *context, const struct message *request, uint64_t id,
                               uint64_t *sequence, int64_t *last)
{
    struct object *object;
    struct space *space;
    uint64_t rights;
    int error;

    if (pager_is_caller(request)) {
        error = object_find(id, &object);
    } else {
        if (!enter_caller(request, &space))
            return -ESRCH;
        error = object_get(space, id, true, &object, &rights);
        space_leave(space);
    }
    if (error)
        return error;
    object_read_errors(object, sequence, last);
    object_put(context, object);
    return 0;
}

/* The backed object of a number, with a use more. ENOENT. */
static int find_backed(struct memsrv_context *worker, uint64_t id, struct object **object)
{
    int error = object_find(id, object);
    if (!error && !(*object)->backed) {
        object_put(worker, *object);
        error = -ENOENT;
    }
    return error;
}

int memsrv_handle_object_cookie(struct memsrv_context *context, const struct message *request, uint64_t id,
                                uint64_t *cookie)
{
    struct object *object;
    if (!pager_is_caller(request))
        return -EPERM;
    int error = find_backed(context, id, &object);
    if (error)
        return error;
    *cookie = object->cookie;
    object_put(context, object);
    return 0;
}

int memsrv_handle_fill_begin(struct memsrv_context *context, const struct message *request, uint64_t id, uint64_t index,
                             uint64_t count, uint64_t *next, struct memsrv_dirty_page *pages, size_t pages_capacity,
                             size_t *pages_count)
{
    struct object *object;
    int error = enter_pager(context, request);

    if (!error && (count == 0 || count > MEMSRV_BATCH_PAGES || count > pages_capacity))
        error = -EINVAL;
    if (!error)
        error = find_backed(context, id, &object);
    if (error)
        return error;
    error = object_fill_begin(context, object, index, count, pages, pages_count, next);
    object_put(context, object);
    return error;
}

/* Ends the transit of the pages by `end`; *done is of how many. */
static int end_all(struct memsrv_context *worker, const struct message *request, int64_t status, const void *pages,
                   size_t bytes, uint64_t *done, bool (*end)(struct memsrv_context *, uint64_t, int))
{
    int error = enter_pager(worker, request);

    if (error || !status_is_known(status))
        return error ? error : -EINVAL;
    *done = 0;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        *done += end(worker, pfn_at(pages, i), (int)status);
    return 0;
}

int memsrv_handle_fill_end(struct memsrv_context *context, const struct message *request, int64_t status,
                           const void *pages, size_t pages_bytes, uint64_t *done)
{
    return end_all(context, request, status, pages, pages_bytes, done, object_fill_end);
}

int memsrv_handle_clean_begin(struct memsrv_context *context, const struct message *request, uint64_t id,
                              uint64_t index, uint64_t count, uint64_t *next, struct memsrv_dirty_page *pages,
                              size_t pages_capacity, size_t *pages_count)
{
    struct object *object;
    uint64_t end;
    int error = enter_pager(context, request);

    if (!error && (__builtin_add_overflow(index, count, &end) || pages_capacity < MEMSRV_BATCH_PAGES))
        error = -EINVAL;
    if (!error)
        error = find_backed(context, id, &object);
    if (error)
        return error;
    error = object_clean_begin(context, object, index, count, pages, pages_count, next);
    object_put(context, object);
    return error;
}

int memsrv_handle_clean_end(struct memsrv_context *context, const struct message *request, int64_t status,
                            const void *pages, size_t pages_bytes, uint64_t *done)
{
    return end_all(context, request, status, pages, pages_bytes, done, object_clean_end);
}

/* --- The content of pages in transit ------------------------------------------------------------------------------ */

int memsrv_handle_transit_zero(struct memsrv_context *context, const struct message *request, const void *pages,
                               size_t pages_bytes, uint64_t *done)
{
    if (!pager_is_caller(request))
        return -EPERM;
    *done = 0;
    for (size_t i = 0; i < pages_bytes / sizeof(uint64_t); i++) {
        struct page *page = transit_use(pfn_at(pages, i));
        if (!page)
            continue;
        page_zero(page);
        transit_release(page);
        ++*done;
    }
    return 0;
}

int memsrv_handle_transit_read(struct memsrv_context *context, const struct message *request, uint64_t pfn,
                               uint64_t offset, void *content, size_t content_capacity, size_t *content_bytes)
{
    if (!pager_is_caller(request))
        return -EPERM;
    if (offset >= PAGE_SIZE)
        return -EINVAL;
    struct page *page = transit_use(pfn);
    if (!page)
        return -ENOENT;
    *content_bytes = content_capacity < PAGE_SIZE - offset ? content_capacity : PAGE_SIZE - offset;
    memcpy(content, page_window(page) + offset, *content_bytes);
    transit_release(page);
    return 0;
}

int memsrv_handle_transit_write(struct memsrv_context *context, const struct message *request, uint64_t pfn,
                                uint64_t offset, const void *content, size_t content_bytes)
{
    if (!pager_is_caller(request))
        return -EPERM;
    if (offset >= PAGE_SIZE || content_bytes > PAGE_SIZE - offset)
        return -EINVAL;
    struct page *page = transit_use(pfn);
    if (!page)
        return -ENOENT;
    memcpy(page_window(page) + offset, content, content_bytes);
    transit_release(page);
    return 0;
}

/* --- Demands ------------------------------------------------------------------------------------------------------ */

int memsrv_handle_demand_end(struct memsrv_context *context, const struct message *request, uint64_t token,
                             int64_t status)
{
    if (!pager_is_caller(request))
        return -EPERM;
    return status_is_known(status) ? parking_complete_token(token, (int)status) : -EINVAL;
}

int memsrv_handle_reclaim_end(struct memsrv_context *context, const struct message *request, int64_t status)
{
    if (!pager_is_caller(request))
        return -EPERM;
    if (!status_is_known(status))
        return -EINVAL;
    parking_complete(MEMSRV_DEMAND_RECLAIM, 0, 0, 0, status ? -ENOMEM : 0);
    return 0;
}

/* --- Eviction ----------------------------------------------------------------------------------------------------- */

int memsrv_handle_evict(struct memsrv_context *context, const struct message *request,
                        const struct memsrv_victim *victims, size_t victims_count, void *results,
                        size_t results_capacity, size_t *results_bytes)
{
    int error = enter_pager(context, request);

    if (error || victims_count > MEMSRV_BATCH_PAGES || victims_count > results_capacity)
        return error ? error : -EINVAL;
    evict(context, victims, victims_count, results);
    *results_bytes = victims_count;
    return 0;
}

int memsrv_handle_harvest(struct memsrv_context *context, const struct message *request, const void *pages,
                          size_t pages_bytes, struct memsrv_touched *touched, size_t touched_capacity,
                          size_t *touched_count)
{
    const size_t count = pages_bytes / sizeof(uint64_t);

    if (!pager_is_caller(request))
        return -EPERM;
    if (count > touched_capacity)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        touched[i] = harvest_page(context, pfn_at(pages, i));
    *touched_count = count;
    return 0;
}

/* --- What is used for what ---------------------------------------------------------------------------------------- */

bool page_describe(const struct page *page, struct memsrv_page_use *use)
{
    const uint32_t flags = __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
    const uint32_t not_programs = PAGE_TABLE | PAGE_OBJECT | PAGE_CACHE | PAGE_ZERO;

    if (!(flags & PAGE_ALLOCATED) || (flags & not_programs) || !page->owner)
        return false;
    *use = (struct memsrv_page_use){.pfn = page_pfn(page), .kind = MEMSRV_PAGE_KIND_ANONYMOUS, .index = page->index};
    if (flags & PAGE_OF_OBJECT) {
        use->kind = flags & PAGE_BACKED ? MEMSRV_PAGE_KIND_BACKED : MEMSRV_PAGE_KIND_MEMORY;
        use->object = page->private_data;
    }
    use->state =
        (flags & PAGE_DIRTY ? MEMSRV_PAGE_STATE_DIRTY : 0) | (flags & PAGE_TRANSIT ? MEMSRV_PAGE_STATE_TRANSIT : 0) |
        (flags & PAGE_SWAP_CACHE ? MEMSRV_PAGE_STATE_SWAP_CACHE : 0) | (flags & PAGE_HUGE ? MEMSRV_PAGE_STATE_HUGE : 0);
    return true;
}

bool page_next_described(uint64_t *pfn)
{
    while (*pfn < MEM_MAP_PFN_END && !mem_map_present(&memory_map, *pfn)) {
        const uint64_t step = memory_map.sections[*pfn / MEM_SECTION_PAGES] ? MEM_SUBSECTION_PAGES : MEM_SECTION_PAGES;
        *pfn = (*pfn / step + 1) * step;
    }
    return *pfn < MEM_MAP_PFN_END;
}

/* Descriptors that one page_uses looks at. */
#define USES_STEPS 4096u

int memsrv_handle_page_uses(struct memsrv_context *context, const struct message *request, uint64_t pfn, uint64_t *next,
                            struct memsrv_page_use *pages, size_t pages_capacity, size_t *pages_count)
{
    size_t count = 0;
    bool more = true;

    if (!pager_is_caller(request))
        return -EPERM;
    for (unsigned step = 0; step < USES_STEPS && count < pages_capacity && (more = page_next_described(&pfn)); step++) {
        count += page_describe(mem_map_page(&memory_map, pfn), &pages[count]);
        pfn++;
    }
    *pages_count = count;
    *next = more ? pfn : 0;
    return 0;
}

int memsrv_handle_spaces_info(struct memsrv_context *context, const struct message *request, uint64_t cursor,
                              uint64_t *next, struct memsrv_space_use *uses, size_t uses_capacity, size_t *uses_count)
{
    uint32_t swapped[SPACES_MAX];
    size_t count = 0;

    swap_count_families(swapped);
    for (; cursor < SPACES_MAX && count < uses_capacity; cursor++) {
        struct space *space = &spaces[cursor];
        spinlock_acquire(&space->lock);
        if (space->pid && space_has_memory(space)) {
            /* Soft entries count as resident; all that one of a family has swapped the others may have swapped, too. */
            const uint64_t away = swapped[family_number(space->family)];
            const uint64_t own = away < space->resident ? away : space->resident;
            uses[count++] = (struct memsrv_space_use){.pid = space->pid,
                                                      .resident = space->resident - own,
                                                      .swapped = own,
                                                      .tables = space_count_tables_locked(space),
                                                      .locked = space->locked_pages,
                                                      .roles = space->roles,
                                                      .faults = space->faults,
                                                      .major_faults = space->major_faults,
                                                      .run_time = space_run_time_locked(space),
                                                      .oom_adj = space->standing.oom_adj,
                                                      .group = space->standing.group};
        }
        spinlock_release(&space->lock);
    }
    *uses_count = count;
    *next = cursor < SPACES_MAX ? cursor : 0;
    return 0;
}

int memsrv_handle_paging_info(struct memsrv_context *context, const struct message *request,
                              struct memsrv_paging *paging, size_t paging_capacity, size_t *paging_count)
{
    if (paging_capacity == 0)
        return -EINVAL;
    const struct swap_figures swap = swap_read_figures();
    *paging = (struct memsrv_paging){
        .generation = pager_generation(),
        .attached = pager_is_attached(),
        .running = (uint64_t)sys_system(SLOT_PHYSICAL, SYSTEM_LOAD,
                                        PROGRAM_PRIORITY_LOWEST | PROGRAM_PRIORITY_HIGHEST << 8, 0, NULL),
        .backed = object_backed_pages(),
        .dirty = object_dirty_pages(),
        .transit = transit_count(),
        .dirty_limit = object_dirty_limit(),
        .reserve = memory_reserve_pages(),
        .reservation = reservation_pages(worker_count),
        .fills = object_filled_pages(),
        .evicted = evicted_pages(),
        .swap_slots = swap.slots,
        .swap_cache = swap.cached,
        .swapped_out = swap.out,
        .swapped_in = swap.in};
    parking_read_info(&paging->parked, &paging->requests);
    *paging_count = 1;
    return 0;
}

int memsrv_handle_paging_limit(struct memsrv_context *context, const struct message *request, uint64_t dirty)
{
    if (!pager_is_caller(request))
        return -EPERM;
    object_set_dirty_limit(dirty);
    return 0;
}

/* --- Swap --------------------------------------------------------------------------------------------------------- */

int memsrv_handle_evict_end(struct memsrv_context *context, const struct message *request, int64_t status,
                            const void *pages, size_t pages_bytes, uint64_t *done)
{
    return end_all(context, request, status, pages, pages_bytes, done, swap_evict_end);
}

int memsrv_handle_swap_fill_begin(struct memsrv_context *context, const struct message *request, uint64_t slot,
                                  uint64_t count, struct memsrv_dirty_page *pages, size_t pages_capacity,
                                  size_t *pages_count)
{
    int error = enter_pager(context, request);

    if (!error && (count == 0 || count > MEMSRV_BATCH_PAGES || count > pages_capacity || slot > UINT64_MAX - count))
        error = -EINVAL;
    return error ? error : swap_fill_begin(context, slot, count, pages, pages_count);
}

int memsrv_handle_swap_fill_end(struct memsrv_context *context, const struct message *request, int64_t status,
                                const void *pages, size_t pages_bytes, uint64_t *done)
{
    return end_all(context, request, status, pages, pages_bytes, done, swap_fill_end);
}

int memsrv_handle_swap_slots(struct memsrv_context *context, const struct message *request, uint64_t cursor,
                             uint64_t *next, void *slots, size_t slots_capacity, size_t *slots_bytes)
{
    uint64_t found[PROTO_DATA_MAX / sizeof(uint64_t)];

    if (!pager_is_caller(request))
        return -EPERM;
    const uint64_t count = swap_list(found, slots_capacity / sizeof(found[0]), &cursor);
    memcpy(slots, found, count * sizeof(found[0]));
    *slots_bytes = count * sizeof(found[0]);
    *next = cursor;
    return 0;
}
