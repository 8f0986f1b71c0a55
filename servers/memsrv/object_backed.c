/* SPDX-License-Identifier: MIT */
/* Pages of backed objects, filled and written back by the pager: see object_backed.h. */
#include "object_backed.h"

#include <errno.h>

#include "log.h"
#include "memory.h"
#include "object_internal.h"
#include "object_visit.h"
#include "pager.h"
#include "parking.h"
#include "reservation.h"
#include "transit.h"

static int64_t dirty_pages;               /* atomic */
static uint64_t dirty_limit = UINT64_MAX; /* atomic */
static uint64_t filled_pages;             /* atomic */

void object_count_dirty(int64_t change)
{
    int64_t pages = __atomic_add_fetch(&dirty_pages, change, __ATOMIC_RELAXED);
    ASSERT(pages >= 0);
    if (change > 0 && (uint64_t)pages > __atomic_load_n(&dirty_limit, __ATOMIC_RELAXED))
        pager_tell(PAGER_DIRTY);
}

uint64_t object_dirty_pages(void)
{
    return (uint64_t)__atomic_load_n(&dirty_pages, __ATOMIC_RELAXED);
}

void object_set_dirty_limit(uint64_t pages)
{
    __atomic_store_n(&dirty_limit, pages, __ATOMIC_RELAXED);
}

uint64_t object_dirty_limit(void)
{
    return __atomic_load_n(&dirty_limit, __ATOMIC_RELAXED);
}

uint64_t object_filled_pages(void)
{
    return __atomic_load_n(&filled_pages, __ATOMIC_RELAXED);
}

void object_dirty_page_locked(struct object *object, struct page *page)
{
    if (page->flags & PAGE_DIRTY)
        return;
    page->flags |= PAGE_DIRTY;
    (void)index_set_mark(&object->pages, page->index, OBJECT_MARK_DIRTY);
    object_count_dirty(1);
}

bool object_dirty_mapped(struct object *object, struct page *page)
{
    spinlock_acquire(&object->lock);
    bool there = index_find(&object->pages, page->index) == page;
    if (there)
        object_dirty_page_locked(object, page);
    spinlock_release(&object->lock);
    return there;
}

int object_wait_locked(struct memsrv_context *worker, struct object *object, uint64_t index, enum object_want want)
{
    const struct parking_request request = {.key = {MEMSRV_DEMAND_FILL, object->id, index},
                                            .first = index,
                                            .count = 1,
                                            .cookie = object->cookie,
                                            .access = want == OBJECT_WRITE ? MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE
                                                                           : MEMSRV_PROTECT_READ};
    return parking_wait(worker, &request);
}

/* --- Filling ------------------------------------------------------------------------------------------------------ */

/* A page to fill: from the reserve only if there is no other, and as one of so many. */
static struct page *take_to_fill(struct memsrv_context *worker)
{
    const bool reserve = worker->reserve;

    worker->reserve = false;
    struct page *page = page_take(worker);
    worker->reserve = reserve;
    if (page || !reserve || !reservation_take_fill())
        return page;
    page = page_take(worker);
    if (page)
        page->flags |= PAGE_BORROWED;
    else
        reservation_put_fill();
    return page;
}

static void give_filled(struct page *page)
{
    if (page->flags & PAGE_BORROWED)
        reservation_put_fill();
    page->flags &= ~PAGE_BORROWED;
}

/* Takes a page and puts it, fresh, at an index where none is. */
static int begin_fill_locked(struct memsrv_context *worker, struct object *object, uint64_t index, struct page **result)
    REQUIRES(object->lock)
{
    struct page *page = take_to_fill(worker);
    if (!page)
        return -ENOMEM;
    const struct memsrv_transit about = {
        .kind = MEMSRV_TRANSIT_FILL, .object = object->id, .cookie = object->cookie, .index = index};
    int error = transit_begin(page, &about);
    if (error) {
        give_filled(page);
        page_give(worker, page);
        return error;
    }
    page->flags |= PAGE_FRESH;
    error = object_insert_page_locked(object, index, page);
    if (error) {
        transit_end(page);
        page->flags &= ~PAGE_FRESH;
        give_filled(page);
        page_give(worker, page);
        return error;
    }
    *result = page;
    return 0;
}

int object_fill_begin(struct memsrv_context *worker, struct object *object, uint64_t index, uint64_t count,
                      struct memsrv_dirty_page *pages, uint64_t *taken, uint64_t *next)
{
    const uint64_t end = count < UINT64_MAX - index ? index + count : UINT64_MAX;
    uint64_t done = 0;
    int error = 0;

    object_hold_pages(object, count);
    for (; index < end && !error; index++) {
        struct page *page;
        spinlock_acquire(&object->lock);
        if (index >= pages_for(object->size)) {
            spinlock_release(&object->lock);
            break;
        }
        if (!index_find(&object->pages, index)) {
            error = begin_fill_locked(worker, object, index, &page);
            if (!error)
                pages[done++] = (struct memsrv_dirty_page){index, page_pfn(page)};
        }
        spinlock_release(&object->lock);
        if (error)
            break;
    }
    object_put_pages(worker, object, count - done);
    *taken = done;
    *next = index;
    return done ? 0 : error;
}

/* The page holds what is elsewhere; past the object's last byte there are zeros. */
static void fill_done_locked(struct object *object, struct page *page) REQUIRES(object->lock)
{
    const uint64_t rest = object->size % PAGE_SIZE;

    page->flags &= ~PAGE_FRESH;
    if (rest && page->index == object->size >> PAGE_SHIFT)
        memset(page_window(page) + rest, 0, PAGE_SIZE - rest);
    __atomic_fetch_add(&filled_pages, 1, __ATOMIC_RELAXED);
}

bool object_fill_end(struct memsrv_context *worker, uint64_t pfn, int status)
{
    struct page *page = transit_claim(pfn, MEMSRV_TRANSIT_FILL);
    if (!page)
        return false;
    struct object *object = page->owner;
    const uint64_t index = page->index;
    spinlock_acquire(&object->lock);
    transit_end(page);
    give_filled(page);
    const bool orphan = page->flags & PAGE_ORPHAN, gone = orphan || status;
    if (!gone)
        fill_done_locked(object, page);
    else if (!orphan)
        (void)index_erase(&object->pages, index);
    if (gone) {
        object_forget_page(object, page);
        page_give(worker, page);
    }
    spinlock_release(&object->lock);
    parking_complete(MEMSRV_DEMAND_FILL, object->id, index, index, status == -EAGAIN || orphan ? 0 : status);
    object_put_pages(worker, object, 1);
    return true;
}

/* --- Writing back ------------------------------------------------------------------------------------------------- */

/* Takes dirty pages from *index to `last`, at most BATCH_PAGES; *index becomes where to go on. */
static int take_dirty_locked(struct object *object, uint64_t *index, uint64_t last, struct memsrv_dirty_page *pages,
                             uint64_t *taken) REQUIRES(object->lock)
{
    struct page *page;

    while (*taken < MEMSRV_BATCH_PAGES && (page = index_next_marked(&object->pages, OBJECT_MARK_DIRTY, index, last))) {
        if (!(page->flags & (PAGE_TRANSIT | PAGE_BUSY))) {
            const struct memsrv_transit about = {
                .kind = MEMSRV_TRANSIT_CLEAN, .object = object->id, .cookie = object->cookie, .index = *index};
            int error = transit_begin(page, &about);
            if (error)
                return error;
            page->flags &= ~PAGE_DIRTY;
            (void)index_clear_mark(&object->pages, *index, OBJECT_MARK_DIRTY);
            object_count_dirty(-1);
            pages[(*taken)++] = (struct memsrv_dirty_page){*index, page_pfn(page)};
        }
        if (++*index > last || *index == 0)
            break;
    }
    if (*taken < MEMSRV_BATCH_PAGES)
        *index = last == UINT64_MAX ? UINT64_MAX : last + 1;
    return 0;
}

/* Those of the pages that the object still has are dirty again: they could not be protected. */
static void dirty_again(struct object *object, const struct memsrv_dirty_page *pages, uint64_t count)
{
    spinlock_acquire(&object->lock);
    for (uint64_t i = 0; i < count; i++) {
        struct page *page = index_find(&object->pages, pages[i].index);
        if (page && page_pfn(page) == pages[i].pfn)
            object_dirty_page_locked(object, page);
    }
    spinlock_release(&object->lock);
}

int object_clean_begin(struct memsrv_context *worker, struct object *object, uint64_t index, uint64_t count,
                       struct memsrv_dirty_page *pages, uint64_t *taken, uint64_t *next)
{
    *taken = 0;
    *next = index;
    object_hold_pages(object, MEMSRV_BATCH_PAGES);
    spinlock_acquire(&object->lock);
    int error = count ? take_dirty_locked(object, next, index + count - 1, pages, taken) : 0;
    spinlock_release(&object->lock);
    if (*taken && !object_protect_range(worker, object, pages[0].index, pages[*taken - 1].index + 1))
        dirty_again(object, pages, *taken);
    object_put_pages(worker, object, MEMSRV_BATCH_PAGES - *taken);
    return *taken ? 0 : error;
}

bool object_clean_end(struct memsrv_context *worker, uint64_t pfn, int status)
{
    struct page *page = transit_claim(pfn, MEMSRV_TRANSIT_CLEAN);
    if (!page)
        return false;
    struct object *object = page->owner;
    spinlock_acquire(&object->lock);
    transit_end(page);
    if (page->flags & PAGE_ORPHAN) {
        object_forget_page(object, page);
        page_give(worker, page);
    } else if (status && index_find(&object->pages, page->index) == page) {
        object_dirty_page_locked(object, page);
    }
    if (status && status != -EAGAIN) {
        object->errors++;
        object->last_error = status;
    }
    spinlock_release(&object->lock);
    object_put_pages(worker, object, 1);
    return true;
}

bool object_page_state_ok_locked(struct object *object, const struct page *page)
{
    const bool marked = index_has_mark(&object->pages, page->index, OBJECT_MARK_DIRTY);
    const uint32_t state = page->flags & (PAGE_TRANSIT | PAGE_FRESH | PAGE_DIRTY | PAGE_ORPHAN);

    if (marked != !!(state & PAGE_DIRTY) || (state & PAGE_ORPHAN))
        return false;
    if (!object->backed)
        return state == 0;
    return !(state & PAGE_FRESH) || state == (PAGE_FRESH | PAGE_TRANSIT);
}
