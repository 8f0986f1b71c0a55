/* SPDX-License-Identifier: MIT */
/* Faults made on purpose, so that tests can see them found. Each is made only where it does no harm besides. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "caches.h"
#include "kasan.h"
#include "memory.h"
#include "page_debug.h"
#include "records.h"

#define PLANTED_BYTE   0x7b
#define PLANTED_OFFSET 100u

static uint64_t all_reports(void)
{
    struct kmem_cache_info info;
    uint64_t reports = page_debug_reports() + kasan_reports();

    for (uint64_t index = 0; cache_at(index); index++) {
        kmem_cache_read_info(cache_at(index), &info);
        reports += info.reports;
    }
    return reports;
}

/* A page that is written to while it is free, and then taken again. */
static int plant_in_page(struct memsrv_context *worker)
{
    if (!page_poison_on)
        return -EOPNOTSUPP;
    struct page *page = page_take(worker);
    if (!page)
        return -ENOMEM;
    volatile char *const bytes = page_window(page);
    page_give(worker, page);
    bytes[PLANTED_OFFSET] = PLANTED_BYTE;
    page = page_take(worker);
    if (page)
        page_give(worker, page);
    return page ? 0 : -ENOMEM;
}

/* A record that is written to beside it, or when it is free already. */
static int plant_in_cache(bool after_free)
{
    const uint32_t needed = after_free ? KMEM_POISON : KMEM_RED_ZONE;
    struct vma *area = area_cache.flags & needed ? area_alloc() : NULL;

    if (!area)
        return area_cache.flags & needed ? -ENOMEM : -EOPNOTSUPP;
    volatile char *const bytes = (volatile char *)area;
    if (!after_free)
        bytes[sizeof(*area)] = PLANTED_BYTE;
    area_free(area);
    if (!after_free)
        return 0;
    bytes[sizeof(*area) / 2] = PLANTED_BYTE;
    area = area_alloc();
    if (area)
        area_free(area);
    return area ? 0 : -ENOMEM;
}

/* Reading does no harm, and only a build that watches each access notices it. */
static __attribute__((noinline)) int plant_out_of_bounds(void)
{
    struct vma *const area = area_alloc();

    if (!area)
        return -ENOMEM;
    (void)*((volatile char *)area + sizeof(*area));
    area_free(area);
    return 0;
}

static __attribute__((noinline)) int plant_use_after_free(void)
{
    struct vma *const area = area_alloc();

    if (!area)
        return -ENOMEM;
    area_free(area);
    (void)*((volatile uint64_t *)area + 2);
    return 0;
}

static int plant(struct memsrv_context *worker, uint64_t kind)
{
    switch (kind) {
    case MEMSRV_PLANT_NOTHING:
        return 0;
    case MEMSRV_PLANT_PAGE:
        return plant_in_page(worker);
    case MEMSRV_PLANT_SLAB_OVERRUN:
    case MEMSRV_PLANT_SLAB_AFTER_FREE:
        return plant_in_cache(kind == MEMSRV_PLANT_SLAB_AFTER_FREE);
    case MEMSRV_PLANT_LEAK:
        return area_alloc() ? 0 : -ENOMEM;
    case MEMSRV_PLANT_OUT_OF_BOUNDS:
        return kasan_is_on() ? plant_out_of_bounds() : -EOPNOTSUPP;
    case MEMSRV_PLANT_USE_AFTER_FREE:
        return kasan_is_on() ? plant_use_after_free() : -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

int memsrv_handle_debug_plant(struct memsrv_context *context, const struct message *request, uint64_t kind,
                              uint64_t *reports)
{
    const int error = plant(context, kind);

    *reports = all_reports();
    return error;
}
