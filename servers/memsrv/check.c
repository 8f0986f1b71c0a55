/* SPDX-License-Identifier: MIT */
/* The walkers: every structure against itself, areas against translations, the account against the machine. */
#include <base/check.h>
#include <mm/buddy.h>
#include <quire/syscall.h>

#include "account.h"
#include "areas.h"
#include "caches.h"
#include "drain.h"
#include "log.h"
#include "memory.h"
#include "object.h"
#include "own_memory.h"
#include "space_pages.h"

static uint64_t report(const char *what, uint64_t which, long error)
{
    if (!error)
        return 0;
    log_line("check: %s %lu: error %ld", what, which, error);
    return 1;
}

/* True if what a translation of the space names is the space's, lies in an area, and is mapped as the area says. */
static bool entry_is_right(struct space *space, const struct map_result *found) REQUIRES(space->lock)
{
    const struct vma *area = vma_at(&space->areas, found->address);
    uint64_t physical = found->entry & ENTRY_ADDRESS;

    if (!area || ((found->entry & VMA_ACCESS) & ~(area->flags | VMA_READ)))
        return false;
    if (area->flags & VMA_DEVICE)
        return physical == area->offset + (found->address - area->start);
    const struct page *page = mem_map_find(&memory_map, physical >> PAGE_SHIFT);
    if (!page || !(page->flags & PAGE_ALLOCATED) || !area->touched)
        return false;
    if (page->flags & PAGE_OF_OBJECT)
        return page->owner == area->object && page->index == area_index(area, found->address) &&
               ((area->flags & VMA_SHARED) || !(found->entry & ENTRY_WRITE));
    if (page->flags & PAGE_ZERO)
        return !area->object && !(found->entry & ENTRY_WRITE);
    return page->owner == space->family && page->index == area_index(area, found->address) &&
           !(area->flags & VMA_SHARED);
}

/* The translations of [start, end) one after the other. Returns the pages of memory found, or -1. */
static long count_right_entries(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    long pages = 0;

    while (start < end) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        if (count < 0 || next <= start)
            return -1;
        for (long i = 0; i < count; i++) {
            if (!entry_is_right(space, &results[i])) {
                log_line("check: wrong entry in pid %lu", space->pid);
                return -1;
            }
            pages += !(results[i].entry & ENTRY_DEVICE);
        }
        start = next;
    }
    return pages;
}

/* Pages on their way to the space, in answers of other workers, count as resident and have no translation yet. */
static uint64_t pages_on_their_way(const struct memsrv_context *worker)
{
    return worker_count - 1;
}

static uint64_t check_space(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    uint64_t failures = report("areas of pid", space->pid, areas_check_locked(space));
    if (!space_has_memory(space))
        return failures;
    space_wait_for_faults_locked(worker, space);
    long pages = count_right_entries(space, AREAS_LOW, USER_VA_END);
    bool ok = pages >= 0 && (uint64_t)pages <= space->resident &&
              space->resident - (uint64_t)pages <= pages_on_their_way(worker);
    failures += report("translations of pid", space->pid, ok ? 0 : -1);
    return failures;
}

static uint64_t check_spaces(struct memsrv_context *worker)
{
    uint64_t failures = 0;
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        struct space *space = &spaces[i];
        spinlock_acquire(&space->lock);
        if (space->pid)
            failures += check_space(worker, space);
        spinlock_release(&space->lock);
    }
    return failures;
}

/* The account is right while nobody changes it. */
static uint64_t check_account(struct memsrv_context *worker)
{
    struct memsrv_memory memory;

    workers_stop(worker);
    account_read(&memory);
    workers_resume(worker);
    if (account_adds_up(&memory))
        return 0;
    log_line("check: %lu pages, but free %lu lists %lu user %lu table %lu object %lu metadata %lu", memory.total,
             memory.free, memory.lists, memory.user, memory.table, memory.object, memory.metadata);
    return 1;
}

static uint64_t check_kernel(void)
{
    long result = 1;
    for (uint64_t part = 0; result > 0; part++)
        result = sys_system(SLOT_PHYSICAL, SYSTEM_KERNEL_CHECK, part, 0, NULL);
    return report("kernel", 0, result);
}

uint64_t check_all(struct memsrv_context *worker)
{
    uint64_t failures = 0;
    for (unsigned type = 0; type < ZONE_COUNT; type++)
        failures += report("zone", type, buddy_check(&zones[type]));
    failures += report("page lists", worker->index, per_cpu_pages_check(&worker->pages));
    failures += report("memory objects", 0, (long)objects_check());
    failures += report("caches", 0, caches_check());
    failures += report("own memory", 0, vmalloc_check(&own_space));
    failures += check_spaces(worker);
    failures += check_account(worker);
    return failures + check_kernel();
}
