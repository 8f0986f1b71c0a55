/* SPDX-License-Identifier: MIT */
/* Blocks for huge pages, and who gets them: see huge.h. */
#include "huge.h"

#include <errno.h>
#include <mm/buddy.h>
#include <proto/memsrv_dispatch.h>
#include <string.h>

#include <base/bits.h>

#include "areas.h"
#include "event.h"

#define POLICY_KEY "quire.thp="

/* Areas that never have huge pages. */
#define UNSUITABLE (AREA_FILLED | VMA_SHARED | VMA_NO_HUGE)

static const char *const policy_names[] = {
    [HUGE_NEVER] = "never", [HUGE_ADVISED] = "madvise", [HUGE_ALWAYS] = "always"};

uint64_t closer_look_flags = AREA_FILLED | VMA_HUGE;
static enum huge_policy policy = HUGE_ADVISED; /* atomic */

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
                       enum huge_use use) NO_THREAD_SAFETY_ANALYSIS
{
    /* Who asked for huge pages waits while the lists of the workers are drained; chance does without. */
    gfp_t gfp = use == HUGE_COLLAPSE || (area->flags & VMA_HUGE) ? GFP_TRANSHUGE : GFP_TRANSHUGE_LIGHT;
    /* A group is charged page by page. */
    struct page *block = space->standing.group ? NULL : pages_take(gfp, HUGE_PAGE_ORDER, PAGE_HUGE);

    if (!block) {
        event_count(worker, use == HUGE_FAULT ? EVENT_THP_FAULT_FALLBACK : EVENT_THP_COLLAPSE_FAILED);
        return NULL;
    }
    block->owner = space->family;
    block->index = area_index(area, base);
    worker->user_pages += HUGE_PAGES;
    event_count(worker, EVENT_THP_BLOCKS);
    if (use == HUGE_FAULT)
        event_count(worker, EVENT_THP_FAULT_ALLOC);
    return block;
}

void huge_give(struct memsrv_context *worker, struct page *block)
{
    ASSERT((block->flags & PAGE_HUGE) && block->order == HUGE_PAGE_ORDER);
    worker->user_pages -= HUGE_PAGES;
    event_add(worker, EVENT_THP_BLOCKS, -1UL);
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
        event_count(worker_current(), EVENT_THP_SPLIT);
        event_add(worker_current(), EVENT_THP_BLOCKS, -1UL);
    }
    spinlock_release(&zone->lock);
}

int memsrv_handle_thp_info(struct memsrv_context *context, const struct message *request, struct memsrv_thp *thp,
                           size_t thp_capacity, size_t *thp_count)
{
    (void)context, (void)request;
    if (thp_capacity == 0)
        return -EINVAL;
    *thp = (struct memsrv_thp){
        .policy = (uint64_t)__atomic_load_n(&policy, __ATOMIC_RELAXED),
        .pages = event_sum(EVENT_THP_BLOCKS) * HUGE_PAGES,
        .fault_alloc = event_sum(EVENT_THP_FAULT_ALLOC),
        .fault_fallback = event_sum(EVENT_THP_FAULT_FALLBACK),
        .collapse_alloc = event_sum(EVENT_THP_COLLAPSE_ALLOC),
        .collapse_alloc_failed = event_sum(EVENT_THP_COLLAPSE_FAILED),
        .underused = event_sum(EVENT_THP_UNDERUSED),
        .split = event_sum(EVENT_THP_SPLIT),
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
