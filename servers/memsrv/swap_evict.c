/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory goes to swap and comes back. Evicting a page makes a soft entry of each of its translations, in tables
 * that spaces have in common in place. The page is in the swap cache before the first of them goes, so who has missed it,
 * in a space that was forked meanwhile, can read it and no more, whatever becomes of the slot.
 */
#include <errno.h>

#include <quire/syscall.h>

#include "areas.h"
#include "evict.h"
#include "huge.h"
#include "log.h"
#include "parking.h"
#include "reservation.h"
#include "space_pages.h"
#include "swap_record.h"
#include "transit.h"

/* A page that is to go. */
struct leaving {
    struct page *page;
    struct family *family;
    uint64_t slot, index;
    struct swap_record *record; /* pinned, once the page is in the swap cache; before that, one to be used */
    bool entered;               /* it is in the swap cache */
    bool fresh;                 /* it was put there by this */
    bool locked;                /* a space keeps it */
    int error;
};

/* True if the space keeps the pages of the area in memory. */
static bool keeps(const struct space *space, const struct vma *area) REQUIRES(space->lock)
{
    return (space->roles & MEMSRV_ROLE_UNEVICTABLE) || (area->flags & (VMA_LOCKED | AREA_FILLED));
}

/* Puts a page that a locked space of the family maps into the swap cache, in transit to its slot. */
static int enter(struct leaving *leaving)
{
    const struct memsrv_transit about = {.kind = MEMSRV_TRANSIT_SWAP_OUT, .index = leaving->slot};
    struct swap_record *record = leaving->record;

    record->slot = leaving->slot;
    record->place = (struct swap_place){.family = leaving->family, .index = leaving->index};
    spinlock_acquire(&swap_lock);
    int error =
        (__atomic_load_n(&leaving->page->flags, __ATOMIC_RELAXED) & ~PAGE_CHARGED) == PAGE_ALLOCATED ? 0 : -EBUSY;
    if (!error)
        error = transit_begin(leaving->page, &about);
    if (!error) {
        error = swap_enter_charged_locked(record, leaving->page, true);
        if (error)
            transit_end(leaving->page);
    }
    if (!error) {
        record->pins = 1;
        record->dirty = true;
        leaving->entered = leaving->fresh = true;
        __atomic_store_n(&leaving->family->swapped, true, __ATOMIC_RELEASE);
    }
    spinlock_release(&swap_lock);
    return error;
}

/* Makes a soft entry of what the space maps of the page, if the page may go. */
static void soften(struct memsrv_context *worker, struct space *space, struct leaving *leaving) REQUIRES(space->lock)
{
    const struct wanted_entry wanted = {.page = leaving->page, .index = leaving->index};

    space_wait_for_answers_locked(worker, space);
    const uint64_t address = family_find_entry_locked(space, &wanted);
    const struct vma *area = address ? vma_at(&space->areas, address) : NULL;
    if (!area)
        return;
    if (!leaving->fresh && keeps(space, area)) {
        leaving->locked =
            true; /* of a page that has begun to go, who locks it meanwhile gets it back when it is touched */
        return;
    }
    if (!leaving->entered)
        leaving->error = enter(leaving);
    if (leaving->error)
        return;
    struct map_item *item = (struct map_item *)ipc_buffer()->words;
    *item = (struct map_item){address | MAP_ITEM_SOFTEN, swap_entry(leaving->slot)};
    long done = sys_map(SLOT_PHYSICAL, space->aspace.slot, 1);
    ASSERT(done == 1);
    (void)done;
}

/* True if a space keeps the page. For a space that is alone soften() looks. */
static bool is_kept(struct space *const members[], uint32_t count, const struct leaving *leaving)
{
    const struct wanted_entry wanted = {.page = leaving->page, .index = leaving->index};
    bool kept = false;

    for (uint32_t i = 0; count > 1 && i < count && !kept; i++) {
        if (!family_enter(members[i], leaving->family))
            continue;
        uint64_t address = family_find_entry_locked(members[i], &wanted);
        const struct vma *area = address ? vma_at(&members[i]->areas, address) : NULL;
        kept = area && keeps(members[i], area);
        space_leave(members[i]);
    }
    return kept;
}

/* Visits all spaces of the family, those included that come meanwhile. */
static void soften_all(struct memsrv_context *worker, struct leaving *leaving)
{
    struct space *members[SPACES_MAX];
    uint64_t joins, joins_now;

    uint32_t count = family_list(leaving->family, members, &joins);
    leaving->locked = is_kept(members, count, leaving);
    do {
        for (uint32_t i = 0; i < count && !leaving->error && !leaving->locked; i++) {
            if (!family_enter(members[i], leaving->family))
                continue;
            soften(worker, members[i], leaving);
            space_leave(members[i]);
        }
        joins_now = joins;
        count = family_list(leaving->family, members, &joins);
    } while (joins != joins_now && !leaving->error && !leaving->locked);
}

static uint8_t failure(const struct leaving *leaving)
{
    if (leaving->locked)
        return MEMSRV_EVICT_LOCKED;
    return leaving->error == -ENOMEM ? MEMSRV_EVICT_NO_MEMORY : MEMSRV_EVICT_BUSY;
}

/* A page that has no slot yet. */
static uint8_t evict_plain(struct memsrv_context *worker, struct leaving *leaving)
{
    if (leaving->slot == 0)
        return MEMSRV_EVICT_SLOT;
    if (!swap_slot_is_valid(leaving->slot))
        return MEMSRV_EVICT_BUSY;
    leaving->record = swap_record_new();
    if (!leaving->record)
        return MEMSRV_EVICT_NO_MEMORY;
    soften_all(worker, leaving);
    if (!leaving->entered) {
        swap_record_free(leaving->record);
        return leaving->locked || leaving->error ? failure(leaving) : MEMSRV_EVICT_GONE;
    }
    spinlock_acquire(&swap_lock);
    swap_unpin_locked(worker, leaving->record);
    spinlock_release(&swap_lock);
    return MEMSRV_EVICT_WRITE;
}

/* A page that is in the swap cache, and in its slot: nothing has to be written. */
static uint8_t evict_cached(struct memsrv_context *worker, struct leaving *leaving)
{
    if (leaving->family)
        soften_all(worker, leaving); /* an object's page in the swap cache is mapped nowhere */
    spinlock_acquire(&swap_lock);
    struct swap_record *record = leaving->record;
    const bool stays = leaving->locked || record->pins > 1 || swap_mappings(record->page) != 0;
    if (!stays)
        swap_uncache_locked(worker, record);
    swap_unpin_locked(worker, record);
    spinlock_release(&swap_lock);
    return stays ? failure(leaving) : MEMSRV_EVICT_FREED;
}

/* Pins the record of a page in the swap cache. 0; ENOENT: it is in none; EBUSY: it has to stay; EIO: it could not be
 * written to its slot, which leaving->slot is then. */
static int pin_cached(struct leaving *leaving)
{
    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_page_locked(leaving->page);
    int error = !record ? -ENOENT : record->pins || swap_in_transit(record) ? -EBUSY : record->dirty ? -EIO : 0;
    if (error == -EIO)
        leaving->slot = record->slot;
    if (!error) {
        record->pins++;
        leaving->record = record;
        leaving->entered = true;
        leaving->family = record->place.family;
        leaving->index = record->place.index;
        leaving->slot = record->slot;
    }
    spinlock_release(&swap_lock);
    return error;
}

/* A page in the swap cache. One that could not be written to its slot is brought back for good, so that it can go to
 * another slot as any page the next time. */
static uint8_t evict_from_cache(struct memsrv_context *worker, struct page *page)
{
    struct leaving leaving = {.page = page};

    const int error = pin_cached(&leaving);
    if (!error)
        return evict_cached(worker, &leaving);
    if (error == -EIO) {
        const int restored = swap_restore(worker, leaving.slot);
        return restored == -ENOMEM ? MEMSRV_EVICT_NO_MEMORY : MEMSRV_EVICT_BUSY;
    }
    return error == -ENOENT ? MEMSRV_EVICT_GONE : MEMSRV_EVICT_BUSY;
}

uint8_t swap_evict(struct memsrv_context *worker, struct page *page, uint64_t slot)
{
    struct leaving leaving = {.page = page, .slot = slot};
    const uint32_t flags = __atomic_load_n(&page->flags, __ATOMIC_ACQUIRE);

    if (flags & PAGE_SWAP_CACHE)
        return evict_from_cache(worker, page);
    if (!(flags & PAGE_ALLOCATED))
        return page_in_charge(page) == page ? MEMSRV_EVICT_GONE : MEMSRV_EVICT_BUSY;
    if ((flags & ~PAGE_CHARGED) != PAGE_ALLOCATED)
        return MEMSRV_EVICT_BUSY;
    leaving.family = family_get(page);
    if (!leaving.family)
        return MEMSRV_EVICT_GONE;
    leaving.index = page->index;
    uint8_t result = evict_plain(worker, &leaving);
    family_put(leaving.family);
    return result;
}

/* --- The end of transits ------------------------------------------------------------------------------------------ */

/* Who waits for the page of a slot is taken up again. */
static void tell(uint64_t slot, int status)
{
    parking_complete(MEMSRV_DEMAND_SWAP_IN, 0, slot, slot, status == -EAGAIN ? 0 : status);
}

bool swap_evict_end(struct memsrv_context *worker, uint64_t pfn, int status)
{
    struct page *page = transit_claim(pfn, MEMSRV_TRANSIT_SWAP_OUT);

    if (!page)
        return false;
    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_page_locked(page);
    CHECK(record);
    transit_end(page);
    record->dirty = status != 0;
    if (!status)
        swap_count_out_locked();
    if (!record->place.family)
        tell(record->slot, 0); /* who wanted it meanwhile takes it from the swap cache */
    if (record->state == SWAP_ABANDONED)
        swap_abandon_locked(worker, record);
    else if (!status && record->pins == 0 && swap_mappings(page) == 0)
        swap_uncache_locked(worker, record);
    spinlock_release(&swap_lock);
    return true;
}

bool swap_fill_end(struct memsrv_context *worker, uint64_t pfn, int status)
{
    struct page *page = transit_claim(pfn, MEMSRV_TRANSIT_SWAP_IN);

    if (!page)
        return false;
    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_page_locked(page);
    CHECK(record);
    transit_end(page);
    if (!status)
        swap_count_in_locked();
    if (status)
        swap_uncache_locked(worker, record);
    else
        page->flags &= ~PAGE_FRESH;
    tell(record->slot, status);
    if (record->state == SWAP_ABANDONED)
        swap_abandon_locked(worker, record);
    spinlock_release(&swap_lock);
    return true;
}

/* True if who waits for the record's page, which there is, does so until its transit ends. */
static bool is_awaited(const struct swap_record *record) REQUIRES(swap_lock)
{
    return (record->page->flags & PAGE_FRESH) || (!record->place.family && swap_in_transit(record));
}

/* A page to read a slot into: from the reserve only if there is no other, and while more is there than all that paging needs
 * to free pages. */
static struct page *take_to_read(struct memsrv_context *worker)
{
    const bool reserve = worker->reserve;

    worker->reserve = false;
    struct page *page = user_page_take(worker);
    worker->reserve = reserve;
    if (page || !reserve || memory_free_pages() <= reservation_pages(worker_count))
        return page;
    return user_page_take(worker);
}

/* Puts a fresh page into the swap cache for a slot. *result stays NULL if it has one, or is not used. */
static int begin_fill(struct memsrv_context *worker, uint64_t slot, struct page **result)
{
    const struct memsrv_transit about = {.kind = MEMSRV_TRANSIT_SWAP_IN, .index = slot};
    struct page *page = take_to_read(worker);
    int error = page ? 0 : -ENOMEM;

    *result = NULL;
    spinlock_acquire(&swap_lock);
    struct swap_record *record = swap_find_locked(slot);
    if (record && !record->page && (record->state == SWAP_USED || record->state == SWAP_UNSURE)) {
        if (!error)
            error = transit_begin(page, &about);
        if (!error) {
            page->flags |= PAGE_FRESH;
            swap_cache_locked(record, page);
            *result = page;
        }
    } else {
        error = 0;
        if (!record || !record->page || !is_awaited(record))
            tell(slot, 0); /* it is there, or nobody needs it */
    }
    spinlock_release(&swap_lock);
    if (page && !*result)
        user_page_give(worker, page);
    return error;
}

int swap_fill_begin(struct memsrv_context *worker, uint64_t slot, uint64_t count, struct memsrv_dirty_page *pages,
                    uint64_t *taken)
{
    uint64_t done = 0;
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++) {
        struct page *page;
        error = begin_fill(worker, slot + i, &page);
        if (!error && page)
            pages[done++] = (struct memsrv_dirty_page){slot + i, page_pfn(page)};
    }
    *taken = done;
    return done ? 0 : error;
}
