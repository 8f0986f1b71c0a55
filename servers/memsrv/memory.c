/* SPDX-License-Identifier: MIT */
/* Single pages for programs, for the kernel and for memsrv itself. */
#include "memory.h"

struct mem_map memory_map;
struct zone zones[ZONE_COUNT];
struct boot_account boot_account;
enum zone_type preferred_zone;
bool zeroes_blocks;

static bool zone_has_for_programs(struct zone *zone)
{
    spinlock_acquire(&zone->lock);
    bool ok = zone_watermark_ok_locked(zone, 0, WATERMARK_MIN, preferred_zone);
    spinlock_release(&zone->lock);
    return ok;
}

struct page *page_take_slow(struct memsrv_context *worker)
{
    for (int type = (int)preferred_zone; type >= 0; type--) {
        struct page_list *list = &worker->lists[type];
        if (list->count == 0 && !zone_has_for_programs(&zones[type]))
            continue;
        struct page *page = page_list_alloc(list);
        if (page)
            return page;
    }
    return NULL;
}

struct page *system_page_take(uint32_t mark)
{
    for (int type = (int)preferred_zone; type >= 0; type--) {
        /* A program may have many records, so they do not touch what is kept for the kernel. */
        if (mark == PAGE_CACHE && !zone_has_for_programs(&zones[type]))
            continue;
        struct page *page = buddy_alloc(&zones[type], 0, MIGRATE_UNMOVABLE);
        if (page) {
            page->flags |= mark;
            return page;
        }
    }
    return NULL;
}

void system_page_give(struct page *page)
{
    page->flags &= ~PAGE_OWNER_FLAGS;
    int error = buddy_free(&zones[page->zone], page, 0);
    ASSERT(error == 0);
    (void)error;
}

uint64_t memory_free_pages(void)
{
    uint64_t pages = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++) {
        struct zone_info info;
        zone_read_info(&zones[type], &info);
        pages += info.free_pages;
    }
    return pages;
}

uint64_t memory_listed_pages(void)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < worker_count; i++) {
        for (unsigned type = 0; type < ZONE_COUNT; type++)
            pages += __atomic_load_n(&workers[i].lists[type].count, __ATOMIC_RELAXED);
    }
    return pages;
}

void worker_lists_init(struct memsrv_context *worker)
{
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        page_list_init(&worker->lists[type], &zones[type], MIGRATE_MOVABLE);
}
