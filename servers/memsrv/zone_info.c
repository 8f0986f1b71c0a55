/* SPDX-License-Identifier: MIT */
/* What the requests about zones, blocks and lists answer. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "memory.h"

_Static_assert(MEMSRV_BUDDY_ORDERS == ORDER_COUNT && MEMSRV_MIGRATE_TYPES == MIGRATE_COUNT, "one figure each");
_Static_assert(MEMSRV_ZONES == ZONE_COUNT && MEMSRV_WORKERS == WORKERS_MAX, "one figure each");

static void describe_lists(uint64_t index, struct memsrv_zone *zone)
{
    zone->workers = worker_count;
    for (uint32_t i = 0; i < worker_count; i++) {
        const struct per_cpu_pages *pages = &workers[i].pages;
        zone->list_movable[i] = __atomic_load_n(&pages->movable[index].count, __ATOMIC_RELAXED);
        zone->list_unmovable[i] = __atomic_load_n(&pages->unmovable[index].count, __ATOMIC_RELAXED);
    }
    zone->list_high = workers[0].pages.movable[index].high;
    zone->list_batch = workers[0].pages.movable[index].batch;
}

int memsrv_handle_zone_info(struct memsrv_context *context, const struct message *request, uint64_t index,
                            struct memsrv_zone *zone, size_t zone_capacity, size_t *zone_count)
{
    struct zone_info info;
    if (index >= ZONE_COUNT)
        return -ENOENT;
    if (zone_capacity == 0)
        return -EINVAL;
    zone_read_info(&zones[index], &info);
    *zone = (struct memsrv_zone){.start = info.start_pfn,
                                 .spanned = info.end_pfn - info.start_pfn,
                                 .present = info.present_pages,
                                 .managed = info.managed_pages,
                                 .free = info.free_pages + info.deferred_pages,
                                 .deferred = info.deferred_pages,
                                 .min = info.watermarks[WATERMARK_MIN],
                                 .low = info.watermarks[WATERMARK_LOW],
                                 .high = info.watermarks[WATERMARK_HIGH],
                                 .allocations = info.statistics.allocations,
                                 .frees = info.statistics.frees,
                                 .fallbacks = info.statistics.fallbacks,
                                 .steals = info.statistics.steals};
    strncpy(zone->name, zones[index].name, sizeof(zone->name) - 1);
    memcpy(zone->protection, info.lowmem_reserve, sizeof(zone->protection));
    describe_lists(index, zone);
    *zone_count = 1;
    return 0;
}

int memsrv_handle_buddy_info(struct memsrv_context *context, const struct message *request, uint64_t index,
                             struct memsrv_buddy *buddy, size_t buddy_capacity, size_t *buddy_count)
{
    struct zone_info info;
    if (index >= ZONE_COUNT)
        return -ENOENT;
    if (buddy_capacity == 0)
        return -EINVAL;
    zone_read_info(&zones[index], &info);
    memset(buddy, 0, sizeof(*buddy));
    strncpy(buddy->name, zones[index].name, sizeof(buddy->name) - 1);
    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++)
            buddy->blocks[order] += info.free_blocks[order][migrate];
    }
    *buddy_count = 1;
    return 0;
}

int memsrv_handle_pagetype_info(struct memsrv_context *context, const struct message *request, uint64_t index,
                                struct memsrv_pagetype *pagetype, size_t pagetype_capacity, size_t *pagetype_count)
{
    struct zone_info info;
    if (index >= ZONE_COUNT)
        return -ENOENT;
    if (pagetype_capacity == 0)
        return -EINVAL;
    zone_read_info(&zones[index], &info);
    memset(pagetype, 0, sizeof(*pagetype));
    strncpy(pagetype->name, zones[index].name, sizeof(pagetype->name) - 1);
    for (unsigned migrate = 0; migrate < MIGRATE_COUNT; migrate++) {
        for (unsigned order = 0; order < ORDER_COUNT; order++)
            pagetype->blocks[migrate * ORDER_COUNT + order] = info.free_blocks[order][migrate];
    }
    zone_count_pageblocks(&zones[index], pagetype->pageblocks);
    *pagetype_count = 1;
    return 0;
}

int memsrv_handle_alloc_info(struct memsrv_context *context, const struct message *request, struct memsrv_alloc *alloc,
                             size_t alloc_capacity, size_t *alloc_count)
{
    struct page_alloc_statistics statistics;
    if (alloc_capacity == 0)
        return -EINVAL;
    page_alloc_read_statistics(&page_allocator, &statistics);
    *alloc = (struct memsrv_alloc){.requests = statistics.requests,
                                   .slow = statistics.slow,
                                   .fallback = statistics.fallback,
                                   .wakeups = statistics.wakeups,
                                   .reclaims = statistics.reclaims,
                                   .drains = statistics.drains,
                                   .failures = statistics.failures};
    *alloc_count = 1;
    return 0;
}
