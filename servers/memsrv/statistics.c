/* SPDX-License-Identifier: MIT */
/* Where all pages are, as Linux would say it; and what is kept free. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "account.h"
#include "caches.h"
#include "event.h"
#include "limits.h"
#include "memory.h"
#include "object.h"
#include "object_backed.h"
#include "own_memory.h"

#define KIB_PER_PAGE        (PAGE_SIZE / 1024)
#define MIN_FREE_PART       4u /* of memory, that may be kept free at most */
#define WATERMARK_SCALE_MAX 1000u

/* As set last. Atomic: root, who alone sets it, is one thread. */
static uint64_t watermark_scale = WATERMARK_SCALE_FACTOR;

static uint64_t slab_pages(void)
{
    const struct kmem_cache *cache;
    struct kmem_cache_info info;
    uint64_t pages = 0;

    for (uint64_t index = 0; (cache = cache_at(index)); index++) {
        kmem_cache_read_info(cache_at(index), &info);
        pages += info.pages;
    }
    return pages;
}

static uint64_t own_area_pages(void)
{
    struct vmalloc_info info;
    uint64_t pages = 0;

    for (uint64_t address = 0; vmalloc_next(&own_space, address, &info) == 0; address = info.end)
        pages += (info.end - info.start) >> PAGE_SHIFT;
    return pages;
}

static uint64_t locked_pages(void)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        spinlock_acquire(&spaces[i].lock);
        pages += spaces[i].pid ? spaces[i].locked_pages : 0;
        spinlock_release(&spaces[i].lock);
    }
    return pages;
}

int memsrv_handle_page_counts(struct memsrv_context *context, const struct message *request,
                              struct memsrv_page_counts *counts, size_t counts_capacity, size_t *counts_count)
{
    struct memsrv_memory memory;

    if (counts_capacity == 0)
        return -EINVAL;
    account_read(&memory);
    const uint64_t slab = slab_pages(), file = object_backed_pages(), objects = objects_pages();
    *counts = (struct memsrv_page_counts){.total = memory.total,
                                          .free = memory.free + memory.lists,
                                          .anonymous = memory.user - objects,
                                          .file = file,
                                          .shared = objects - file,
                                          .table = memory.table,
                                          .slab = slab,
                                          .records = memory.object + memory.metadata - slab,
                                          .kernel = memory.kernel,
                                          .root = memory.root,
                                          .archive = memory.archive,
                                          .tree = memory.tree,
                                          .firmware = memory.firmware,
                                          .dirty = object_dirty_pages(),
                                          .huge = event_sum(EVENT_THP_BLOCKS) << HUGE_PAGE_ORDER,
                                          .locked = locked_pages(),
                                          .vmalloc = own_area_pages(),
                                          .commit_limit = commit_limit(&commit_policy),
                                          .committed = limits_committed(),
                                          .min_free = memory_reserve_pages() * KIB_PER_PAGE,
                                          .watermark_scale = __atomic_load_n(&watermark_scale, __ATOMIC_RELAXED)};
    *counts_count = 1;
    return 0;
}

int memsrv_handle_vm_set(struct memsrv_context *context, const struct message *request, uint64_t min_free,
                         uint64_t scale)
{
    if (min_free > boot_account.total / MIN_FREE_PART * KIB_PER_PAGE || scale > WATERMARK_SCALE_MAX)
        return -EINVAL;
    if (scale)
        __atomic_store_n(&watermark_scale, scale, __ATOMIC_RELAXED);
    if (!min_free)
        min_free = memory_reserve_pages() * KIB_PER_PAGE;
    zones_set_watermarks(zones, min_free, __atomic_load_n(&watermark_scale, __ATOMIC_RELAXED));
    return 0;
}
