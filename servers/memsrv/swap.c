/* SPDX-License-Identifier: MIT */
/* Records of swap slots, and the swap cache: see swap.h. */
#include "swap_record.h"

#include <errno.h>

#include <quire/syscall.h>

#include "caches.h"
#include "memgroups.h"
#include "pager.h"
#include "records.h"
#include "space_pages.h"

struct spinlock swap_lock;
static struct radix_index slots GUARDED_BY(swap_lock);   /* struct swap_record by slot */
static struct list unsure_records GUARDED_BY(swap_lock); /* SWAP_UNSURE */
static struct list free_records GUARDED_BY(swap_lock);   /* SWAP_FREE */
static struct swap_figures figures GUARDED_BY(swap_lock);
static uint64_t free_count GUARDED_BY(swap_lock);
static struct kmem_cache record_cache;

void swap_init(void)
{
    cache_create(&record_cache, "swap_record", sizeof(struct swap_record), _Alignof(struct swap_record));
    spinlock_init(&swap_lock, LOCK_SWAP);
    spinlock_acquire(&swap_lock);
    index_init(&slots, &index_records);
    list_init(&unsure_records);
    list_init(&free_records);
    spinlock_release(&swap_lock);
}

struct swap_record *swap_record_new(void)
{
    struct swap_record *record = record_zalloc(&record_cache);
    if (record)
        list_init(&record->link);
    return record;
}

void swap_record_free(struct swap_record *record)
{
    kmem_cache_free(&record_cache, worker_index(), record);
}

struct swap_record *swap_find_locked(uint64_t slot)
{
    return index_find(&slots, slot);
}

struct swap_record *swap_find_page_locked(const struct page *page)
{
    if (!(page->flags & PAGE_SWAP_CACHE))
        return NULL;
    struct swap_record *record = index_find(&slots, page->private_data);
    ASSERT(record && record->page == page);
    return record;
}

/* --- The swap cache ----------------------------------------------------------------------------------------------- */

void swap_cache_locked(struct swap_record *record, struct page *page)
{
    long error = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_HOLD, page_pfn(page), 0, NULL);
    CHECK(error == 0); /* the page is a program's */
    page->private_data = record->slot;
    page->owner = record->place.family;
    page->index = record->place.index;
    __atomic_store_n(&page->flags, page->flags | PAGE_SWAP_CACHE, __ATOMIC_RELEASE);
    record->page = page;
    figures.cached++;
}

/* Takes a page out of the swap cache; returns how often it is mapped. */
static uint64_t uncache(struct swap_record *record) REQUIRES(swap_lock)
{
    struct page *page = record->page;
    uint64_t left = 0;

    ASSERT(!(page->flags & PAGE_TRANSIT));
    record->page = NULL;
    record->dirty = false;
    figures.cached--;
    /* The mark goes first: who unmaps the page for the last time then finds a page like any other. */
    page->private_data = 0;
    __atomic_store_n(&page->flags, page->flags & ~(PAGE_SWAP_CACHE | PAGE_FRESH), __ATOMIC_RELEASE);
    long error = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_DROP, page_pfn(page), 0, &left);
    CHECK(error == 0);
    return left;
}

void swap_uncache_locked(struct memsrv_context *worker, struct swap_record *record)
{
    struct page *page = record->page;
    if (uncache(record) == 0)
        user_page_give(worker, page);
}

uint64_t swap_mappings(const struct page *page)
{
    uint64_t references = 0;
    long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &references);
    ASSERT(type == FRAME_USER && references > 0);
    (void)type;
    return references - 1;
}

/* --- Records ------------------------------------------------------------------------------------------------------ */

int swap_enter_locked(struct swap_record *record, struct page *page)
{
    struct swap_record *old = index_find(&slots, record->slot);

    if (old && old->state != SWAP_FREE)
        return -EEXIST;
    if (old) {
        /* The pager that was to be told is no more. */
        list_remove(&old->link);
        free_count--;
        (void)index_erase(&slots, old->slot);
        swap_record_free(old);
    }
    int error = index_insert(&slots, record->slot, record);
    if (error)
        return error;
    record->state = SWAP_USED;
    figures.slots++;
    if (page)
        swap_cache_locked(record, page);
    return 0;
}

int swap_enter_charged_locked(struct swap_record *record, struct page *page, bool cache)
{
    const uint32_t group = memgroups_group_of(page);

    if (memgroups_charge_slot(group))
        return -EBUSY;
    record->group = (uint8_t)group;
    int error = swap_enter_locked(record, cache ? page : NULL);
    if (error)
        memgroups_uncharge_slot(group);
    return error;
}

void swap_count_groups(uint64_t counts[])
{
    const struct swap_record *record;
    uint64_t slot = 0;

    memset(counts, 0, MEMGROUPS_MAX * sizeof(*counts));
    spinlock_acquire(&swap_lock);
    while ((record = index_next(&slots, &slot, UINT64_MAX))) {
        counts[record->group] += record->state != SWAP_FREE;
        slot++;
    }
    spinlock_release(&swap_lock);
}

/* The slot is free, and its page goes. */
static void finish(struct memsrv_context *worker, struct swap_record *record) REQUIRES(swap_lock)
{
    if (record->page)
        swap_uncache_locked(worker, record);
    memgroups_uncharge_slot(record->group);
    record->state = SWAP_FREE;
    list_push_back(&free_records, &record->link);
    free_count++;
    figures.slots--;
    pager_tell(PAGER_SLOTS);
}

void swap_abandon_locked(struct memsrv_context *worker, struct swap_record *record)
{
    ASSERT(record->state != SWAP_FREE);
    if (record->state == SWAP_UNSURE)
        list_remove(&record->link);
    record->state = SWAP_ABANDONED;
    if (record->pins == 0 && !swap_in_transit(record))
        finish(worker, record);
}

void swap_take_locked(struct memsrv_context *worker, struct swap_record *record)
{
    ASSERT(record->pins == 0);
    uint64_t left = uncache(record);
    ASSERT(left == 0);
    (void)left;
    swap_abandon_locked(worker, record);
}

void swap_doubt_locked(struct swap_record *record)
{
    if (record->state != SWAP_USED)
        return;
    record->state = SWAP_UNSURE;
    list_push_back(&unsure_records, &record->link);
    pager_tell(PAGER_SLOTS);
}

void swap_unpin_locked(struct memsrv_context *worker, struct swap_record *record)
{
    ASSERT(record->pins > 0);
    record->pins--;
    if (record->state == SWAP_ABANDONED)
        swap_abandon_locked(worker, record);
}

void swap_count_out_locked(void)
{
    figures.out++;
}

void swap_count_in_locked(void)
{
    figures.in++;
}

struct swap_figures swap_read_figures(void)
{
    spinlock_acquire(&swap_lock);
    struct swap_figures now = figures;
    spinlock_release(&swap_lock);
    return now;
}

void swap_count_families(uint32_t counts[SPACES_MAX])
{
    const struct swap_record *record;
    uint64_t slot = 0;

    memset(counts, 0, SPACES_MAX * sizeof(*counts));
    spinlock_acquire(&swap_lock);
    while ((record = index_next(&slots, &slot, UINT64_MAX))) {
        if (record->place.family && record->state != SWAP_FREE && !record->page)
            counts[family_number(record->place.family)]++;
        slot++;
    }
    spinlock_release(&swap_lock);
}

/* --- What the pager is told --------------------------------------------------------------------------------------- */

/* Names that it takes at a time, so that others get the lock. */
#define LOOKS_MAX 64u

/* True if something of the family refers to the record's slot, or maps its page. The record is pinned. */
static bool is_referred_to(struct memsrv_context *worker, const struct swap_record *record)
{
    const struct wanted_entry wanted = {record->page, swap_entry(record->slot), record->place.index};
    struct family *family = record->place.family;
    struct space *members[SPACES_MAX];
    uint64_t joins, joins_now;
    uint32_t count;

    count = family_list(family, members, &joins);
    do {
        for (uint32_t i = 0; i < count; i++) {
            if (!family_enter(members[i], family))
                continue;
            space_wait_for_answers_locked(worker, members[i]);
            bool found = family_find_entry_locked(members[i], &wanted) != 0;
            space_leave(members[i]);
            if (found)
                return true;
        }
        joins_now = joins;
        count = family_list(family, members, &joins);
    } while (joins != joins_now);
    return false;
}

/* The next record that is unsure, pinned; it is used until something is found out. */
static struct swap_record *take_unsure(void)
{
    spinlock_acquire(&swap_lock);
    struct list *link = list_pop_front(&unsure_records);
    struct swap_record *record = link ? CONTAINER_OF(link, struct swap_record, link) : NULL;
    if (record) {
        record->state = SWAP_USED;
        record->pins++;
    }
    spinlock_release(&swap_lock);
    return record;
}

void swap_look_through(struct memsrv_context *worker)
{
    struct swap_record *record;

    for (unsigned i = 0; i < LOOKS_MAX && (record = take_unsure()); i++) {
        bool referred_to = is_referred_to(worker, record);
        spinlock_acquire(&swap_lock);
        if (!referred_to && record->state != SWAP_ABANDONED)
            swap_abandon_locked(worker, record);
        swap_unpin_locked(worker, record);
        spinlock_release(&swap_lock);
    }
}

uint64_t swap_take_free(struct memsrv_demand *demands, uint64_t capacity)
{
    uint64_t count = 0;

    spinlock_acquire(&swap_lock);
    for (;;) {
        struct list *link = list_first(&free_records);
        struct swap_record *record = link ? CONTAINER_OF(link, struct swap_record, link) : NULL;
        struct memsrv_demand *last = count ? &demands[count - 1] : NULL;
        if (!record)
            break;
        if (last && last->index + last->count == record->slot)
            last->count++;
        else if (count < capacity)
            demands[count++] =
                (struct memsrv_demand){.kind = MEMSRV_DEMAND_SLOT_FREE, .index = record->slot, .count = 1};
        else
            break;
        list_remove(&record->link);
        free_count--;
        (void)index_erase(&slots, record->slot);
        swap_record_free(record);
    }
    spinlock_release(&swap_lock);
    return count;
}

bool swap_has_news(void)
{
    spinlock_acquire(&swap_lock);
    bool news = free_count != 0 || !list_empty(&unsure_records);
    spinlock_release(&swap_lock);
    return news;
}

void swap_forget_free(void)
{
    struct list *link;

    spinlock_acquire(&swap_lock);
    while ((link = list_pop_front(&free_records))) {
        struct swap_record *record = CONTAINER_OF(link, struct swap_record, link);
        free_count--;
        (void)index_erase(&slots, record->slot);
        swap_record_free(record);
    }
    spinlock_release(&swap_lock);
}

uint64_t swap_list(uint64_t *found, uint64_t capacity, uint64_t *cursor)
{
    const struct swap_record *record;
    uint64_t count = 0, slot = *cursor;

    spinlock_acquire(&swap_lock);
    while ((record = index_next(&slots, &slot, UINT64_MAX)) && count < capacity) {
        if (record->state != SWAP_FREE)
            found[count++] = slot;
        slot++;
    }
    spinlock_release(&swap_lock);
    *cursor = record ? slot : 0;
    return count;
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

bool swap_entry_is_right(const struct space *space, uint64_t entry, uint64_t index)
{
    spinlock_acquire(&swap_lock);
    const struct swap_record *record = index_find(&slots, swap_slot_of(entry));
    bool right = record && (record->state == SWAP_USED || record->state == SWAP_UNSURE) &&
                 record->place.family == space->family && record->place.index == index;
    spinlock_release(&swap_lock);
    return right;
}

/* A page of the cache is what its record says. */
static bool page_ok(const struct swap_record *record)
{
    const struct page *page = record->page;
    uint64_t references = 0;

    if (!page)
        return !record->dirty;
    if (sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &references) != FRAME_USER || references == 0)
        return false;
    return (page->flags & (PAGE_ALLOCATED | PAGE_SWAP_CACHE)) == (PAGE_ALLOCATED | PAGE_SWAP_CACHE) &&
           page->private_data == record->slot && page->owner == record->place.family &&
           page->index == record->place.index && (!(page->flags & PAGE_FRESH) || (page->flags & PAGE_TRANSIT));
}

int swap_check(void)
{
    uint64_t slot = 0, used = 0, cached = 0, free = 0;
    const struct swap_record *record;

    spinlock_acquire(&swap_lock);
    bool ok = index_check(&slots) == 0;
    while (ok && (record = index_next(&slots, &slot, UINT64_MAX))) {
        ok = record->slot == slot && page_ok(record);
        used += record->state != SWAP_FREE;
        free += record->state == SWAP_FREE;
        cached += record->page != NULL;
        slot++;
    }
    ok = ok && used == figures.slots && free == free_count && cached == figures.cached;
    spinlock_release(&swap_lock);
    return ok ? 0 : -EIO;
}
