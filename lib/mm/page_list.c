/* SPDX-License-Identifier: MIT */
/* Refill and drain of a worker's page list. */
#include <string.h>

#include <base/bits.h>
#include <mm/page_list.h>

#define BATCHES_KEPT 4u

void page_list_init(struct page_list *list, struct zone *zone, enum migrate_type migrate)
{
    memset(list, 0, sizeof(*list));
    list->zone = zone;
    list->migrate = migrate;
    page_list_set_size(list, 1);
}

void page_list_set_size(struct page_list *list, uint32_t cpu_count)
{
    struct zone *zone = list->zone;
    spinlock_acquire(&zone->lock);
    uint64_t share = zone->managed_pages / 4096;
    uint64_t high = zone->watermarks[WATERMARK_LOW] / cpu_count;
    spinlock_release(&zone->lock);

    uint64_t batch = share > 0 ? 1UL << highest_bit(share + share / 2) : 1;
    if (batch > PAGE_LIST_BATCH_MAX)
        batch = PAGE_LIST_BATCH_MAX;
    if (high < BATCHES_KEPT * batch)
        high = BATCHES_KEPT * batch;
    list->batch = (uint32_t)batch;
    list->high = high < PAGE_LIST_CAPACITY ? (uint32_t)high : PAGE_LIST_CAPACITY;
}

struct page *page_list_alloc_refill(struct page_list *list)
{
    struct zone *zone = list->zone;
    struct page *batch[PAGE_LIST_BATCH_MAX];

    ASSERT(list->count == 0);
    spinlock_acquire(&zone->lock);
    uint32_t count = buddy_alloc_pages_locked(zone, list->migrate, batch, list->batch);
    for (uint32_t i = 0; i < count; i++) {
        batch[i]->flags = PAGE_LISTED;
        page_set_refcount(batch[i], 0);
    }
    CHECK_DEEP(buddy_check_locked(zone) == 0);
    spinlock_release(&zone->lock);
    if (count == 0)
        return NULL;
    /* The zone gives low addresses first; turned round, the list gives them in the same order. */
    for (uint32_t i = 0; i < count; i++)
        list->pages[i] = batch[count - 1 - i];
    list->count = count;
    list->refills++;
    return page_list_alloc(list);
}

/* Gives pages[0..count) to the zone; their places in the array are the caller's to fill. */
static void return_oldest(struct page_list *list, uint32_t count) EXCLUDES(list->zone->lock)
{
    struct zone *zone = list->zone;
    spinlock_acquire(&zone->lock);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(list->pages[i]->flags == PAGE_LISTED);
        list->pages[i]->flags = PAGE_ALLOCATED;
    }
    buddy_free_pages_locked(zone, list->pages, count);
    CHECK_DEEP(buddy_check_locked(zone) == 0);
    spinlock_release(&zone->lock);
    list->drains++;
}

void page_list_drain_batch(struct page_list *list)
{
    uint32_t count = list->count < list->batch ? list->count : list->batch;
    return_oldest(list, count);
    list->count -= count;
    memmove(list->pages, list->pages + count, list->count * sizeof(struct page *));
}

void page_list_drain(struct page_list *list)
{
    return_oldest(list, list->count);
    list->count = 0;
}

int page_list_check(const struct page_list *list)
{
    if (list->count > list->high || list->high > PAGE_LIST_CAPACITY || list->batch > list->high)
        return -EIO;
    for (uint32_t i = 0; i < list->count; i++) {
        struct page *page = list->pages[i];
        if (page->flags != PAGE_LISTED || page->order != 0 || page->zone != (uint8_t)list->zone->type ||
            page_refcount(page) != 0)
            return -EIO;
    }
    return 0;
}
