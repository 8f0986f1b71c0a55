/* SPDX-License-Identifier: MIT */
/* The table of pages in transit: see transit.h. A page knows its place in it by mapcount, which memsrv has no other use for. */
#include "transit.h"

#include <errno.h>

#include <base/lock.h>

#include "memory.h"

struct place {
    struct page *page; /* NULL: free */
    struct memsrv_transit about;
    uint32_t next; /* of a free place: the next one */
    bool claimed;  /* somebody is ending the transit */
};

#define PLACES MEMSRV_TRANSIT_PAGES

static struct spinlock transit_lock;
static struct place places[PLACES] GUARDED_BY(transit_lock);
static uint32_t first_free GUARDED_BY(transit_lock); /* PLACES: none */
static uint64_t in_transit;                          /* atomic; changed with the lock held */

void transit_init(void)
{
    spinlock_init(&transit_lock, LOCK_TRANSIT);
    spinlock_acquire(&transit_lock);
    for (uint32_t i = 0; i < PLACES; i++)
        places[i] = (struct place){.next = i + 1};
    first_free = 0;
    spinlock_release(&transit_lock);
}

int transit_begin(struct page *page, const struct memsrv_transit *about)
{
    int error = -EAGAIN;

    spinlock_acquire(&transit_lock);
    ASSERT(!(page->flags & PAGE_TRANSIT));
    if (first_free < PLACES) {
        struct place *place = &places[first_free];
        page->mapcount = first_free;
        first_free = place->next;
        *place = (struct place){.page = page, .about = *about};
        place->about.pfn = page_pfn(page);
        page->flags |= PAGE_TRANSIT;
        __atomic_fetch_add(&in_transit, 1, __ATOMIC_RELAXED);
        error = 0;
    }
    spinlock_release(&transit_lock);
    return error;
}

static struct page *claim(uint64_t pfn, bool any_kind, uint64_t kind)
{
    struct page *page = mem_map_find(&memory_map, pfn);

    spinlock_acquire(&transit_lock);
    if (page) {
        const uint32_t number = page->mapcount;
        struct place *place = number < PLACES ? &places[number] : NULL;
        if (!place || place->page != page || place->claimed || (!any_kind && place->about.kind != kind))
            page = NULL;
        else
            place->claimed = true;
    }
    spinlock_release(&transit_lock);
    return page;
}

struct page *transit_claim(uint64_t pfn, uint64_t kind)
{
    return claim(pfn, false, kind);
}

struct page *transit_use(uint64_t pfn)
{
    return claim(pfn, true, 0);
}

void transit_release(struct page *page)
{
    spinlock_acquire(&transit_lock);
    places[page->mapcount].claimed = false;
    spinlock_release(&transit_lock);
}

void transit_end(struct page *page)
{
    spinlock_acquire(&transit_lock);
    const uint32_t number = page->mapcount;
    ASSERT(number < PLACES && places[number].page == page);
    places[number] = (struct place){.next = first_free};
    first_free = (uint32_t)number;
    page->flags &= ~PAGE_TRANSIT;
    page->mapcount = 0;
    __atomic_fetch_sub(&in_transit, 1, __ATOMIC_RELAXED);
    spinlock_release(&transit_lock);
}

uint64_t transit_list(struct memsrv_transit *pages, uint64_t capacity, uint64_t *cursor)
{
    uint64_t count = 0, i = *cursor;

    spinlock_acquire(&transit_lock);
    for (; i < PLACES && count < capacity; i++) {
        if (places[i].page)
            pages[count++] = places[i].about;
    }
    spinlock_release(&transit_lock);
    *cursor = i < PLACES ? i : 0;
    return count;
}

uint64_t transit_count(void)
{
    return __atomic_load_n(&in_transit, __ATOMIC_RELAXED);
}

int transit_check(void)
{
    uint64_t used = 0, free = 0;
    bool ok = true;

    spinlock_acquire(&transit_lock);
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct page *page = places[i].page;
        used += page != NULL;
        ok = ok && (!page || (page->mapcount == i && (page->flags & PAGE_TRANSIT) && places[i].about.kind));
    }
    for (uint32_t i = first_free; i < PLACES && free <= PLACES; i = places[i].next)
        free++;
    ok = ok && used + free == PLACES && used == in_transit;
    spinlock_release(&transit_lock);
    return ok ? 0 : -EIO;
}
