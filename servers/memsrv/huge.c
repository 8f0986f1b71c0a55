/* SPDX-License-Identifier: MIT */
/* Blocks for huge pages, and who gets them: see huge.h. */
#include "huge.h"

#include <errno.h>
#include <mm/buddy.h>
#include <proto/memsrv_dispatch.h>
#include <string.h>

#include <base/bits.h>

#include "areas.h"

#define POLICY_KEY "quire.thp="

/* Areas that never have huge pages. */
#define UNSUITABLE (AREA_FILLED | VMA_SHARED | VMA_NO_HUGE)

static const char *const policy_names[] = {
    [HUGE_NEVER] = "never", [HUGE_ADVISED] = "madvise", [HUGE_ALWAYS] = "always"};

uint64_t closer_look_flags = AREA_FILLED | VMA_HUGE;
static enum huge_policy policy = HUGE_ADVISED; /* atomic */

/* Atomic, each by itself. */
static struct {
    uint64_t blocks; /* whole ones */
    uint64_t fault_allocations, fault_fallbacks;
    uint64_t collapses, collapse_failures;
    uint64_t splits;
} counts;

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void set_policy(enum huge_policy wanted)
{
    uint64_t flags = AREA_FILLED;

    if (wanted == HUGE_ADVISED)
        flags |= VMA_HUGE;
    else if (wanted == HUGE_ALWAYS)
        flags |= VMA_WRITE; /* what is written to is writable */
    __atomic_store_n(&policy, wanted, __ATOMIC_RELAXED);
    __atomic_store_n(&closer_look_flags, flags, __ATOMIC_RELAXED);
}

void huge_init(const char *arguments)
{
    const char *key = strstr(arguments, POLICY_KEY);
    if (!key || (key != arguments && key[-1] != ' '))
        return;
    key += sizeof(POLICY_KEY) - 1;
    size_t length = strcspn(key, " ");
    for (unsigned i = 0; i < sizeof(policy_names) / sizeof(policy_names[0]); i++) {
        if (length == strlen(policy_names[i]) && memcmp(key, policy_names[i], length) == 0)
            set_policy((enum huge_policy)i);
    }
}

bool huge_fits(const struct vma *area, uint64_t base)
{
    return !area->object && !(area->flags & UNSUITABLE) && area->start <= base && base < area->end &&
           area->end - base >= HUGE_PAGE_SIZE;
}

bool huge_is_wanted(const struct vma *area, uint64_t base)
{
    enum huge_policy now = __atomic_load_n(&policy, __ATOMIC_RELAXED);
    bool wanted = now == HUGE_ALWAYS || (now == HUGE_ADVISED && (area->flags & VMA_HUGE));
    return wanted && huge_fits(area, base);
}

struct page *huge_take(struct memsrv_context *worker, const struct space *space, const struct vma *area, uint64_t base,
                       enum huge_use use)
{
    /* Who asked for huge pages waits while the lists of the workers are drained; chance does without. */
    gfp_t gfp = use == HUGE_COLLAPSE || (area->flags & VMA_HUGE) ? GFP_TRANSHUGE : GFP_TRANSHUGE_LIGHT;
    struct page *block = pages_take(gfp, HUGE_PAGE_ORDER, PAGE_HUGE);

    if (!block) {
        count(use == HUGE_FAULT ? &counts.fault_fallbacks : &counts.collapse_failures);
        return NULL;
    }
    block->owner = space->family;
    block->index = area_index(area, base);
    worker->user_pages += HUGE_PAGES;
    count(&counts.blocks);
    if (use == HUGE_FAULT)
        count(&counts.fault_allocations);
    return block;
}

void huge_give(struct memsrv_context *worker, struct page *block)
{
    ASSERT((block->flags & PAGE_HUGE) && block->order == HUGE_PAGE_ORDER);
    worker->user_pages -= HUGE_PAGES;
    __atomic_fetch_sub(&counts.blocks, 1, __ATOMIC_RELAXED);
    pages_give(block, HUGE_PAGE_ORDER);
}

void huge_zero(const struct page *block)
{
    for (const struct page *page = block; page < block + HUGE_PAGES; page++)
        page_zero(page);
}

void huge_part_with(struct page *page)
{
    struct page *first = page - page_pfn(page) % HUGE_PAGES;
    struct zone *zone = &zones[page->zone];

    spinlock_acquire(&zone->lock);
    if (first->flags & PAGE_HUGE) {
        int error = buddy_split_allocated_locked(zone, first, HUGE_PAGE_ORDER);
        ASSERT(error == 0);
        (void)error;
        count(&counts.splits);
        __atomic_fetch_sub(&counts.blocks, 1, __ATOMIC_RELAXED);
    }
    spinlock_release(&zone->lock);
}

void huge_count_collapse(void)
{
    count(&counts.collapses);
}

int memsrv_handle_thp_info(struct memsrv_context *context, const struct message *request, struct memsrv_thp *thp,
                           size_t thp_capacity, size_t *thp_count)
{
    (void)context, (void)request;
    if (thp_capacity == 0)
        return -EINVAL;
    *thp = (struct memsrv_thp){
        .policy = (uint64_t)__atomic_load_n(&policy, __ATOMIC_RELAXED),
        .pages = __atomic_load_n(&counts.blocks, __ATOMIC_RELAXED) * HUGE_PAGES,
        .fault_alloc = __atomic_load_n(&counts.fault_allocations, __ATOMIC_RELAXED),
        .fault_fallback = __atomic_load_n(&counts.fault_fallbacks, __ATOMIC_RELAXED),
        .collapse_alloc = __atomic_load_n(&counts.collapses, __ATOMIC_RELAXED),
        .collapse_alloc_failed = __atomic_load_n(&counts.collapse_failures, __ATOMIC_RELAXED),
        .split = __atomic_load_n(&counts.splits, __ATOMIC_RELAXED),
        .scan_sleep = __atomic_load_n(&huge_scan_state.sleep_ms, __ATOMIC_RELAXED),
        .scan_places = __atomic_load_n(&huge_scan_state.places, __ATOMIC_RELAXED),
        .scanned = __atomic_load_n(&huge_scan_state.scanned, __ATOMIC_RELAXED),
        .full_scans = __atomic_load_n(&huge_scan_state.full_scans, __ATOMIC_RELAXED),
    };
    *thp_count = 1;
    return 0;
}

int memsrv_handle_thp_set(struct memsrv_context *context, const struct message *request, uint64_t wanted)
{
    (void)context, (void)request;
    if (wanted > HUGE_ALWAYS)
        return -EINVAL;
    set_policy((enum huge_policy)wanted);
    return 0;
}
