/* SPDX-License-Identifier: MIT */
/* The walkers: every structure against itself, areas against translations, the account against the machine. */
#include <base/check.h>
#include <mm/buddy.h>
#include <quire/syscall.h>

#include "account.h"
#include "areas.h"
#include "caches.h"
#include "drain.h"
#include "huge.h"
#include "log.h"
#include "memgroups.h"
#include "memory.h"
#include "object.h"
#include "own_memory.h"
#include "parking.h"
#include "space_pages.h"
#include "space_tables.h"
#include "swap.h"
#include "transit.h"

static uint64_t report(const char *what, uint64_t which, long error)
{
    if (!error)
        return 0;
    log_line("check: %s %lu: error %ld", what, which, error);
    return 1;
}

/* A huge page is a whole block, all of it lies in areas, and these allow what it does. */
static bool huge_entry_is_right(struct space *space, const struct map_result *found) REQUIRES(space->lock)
{
    const struct page *block = mem_map_find(&memory_map, (found->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    const uint64_t end = found->address + HUGE_PAGE_SIZE;

    if (!block || (block->flags & (PAGE_STATE | PAGE_HUGE)) != (PAGE_ALLOCATED | PAGE_HUGE) ||
        block->order != HUGE_PAGE_ORDER || block->owner != space->family || found->address % HUGE_PAGE_SIZE)
        return false;
    for (uint64_t address = found->address; address < end;) {
        const struct vma *area = vma_at(&space->areas, address);
        if (!area || area->object || !area->touched || (area->flags & (VMA_SHARED | AREA_FILLED)) ||
            ((found->entry & VMA_ACCESS) & ~(area->flags | VMA_READ)) ||
            area_index(area, address) != block->index + ((address - found->address) >> PAGE_SHIFT))
            return false;
        address = area->end;
    }
    return true;
}

/* True if what a translation of the space names is the space's, lies in an area, and is mapped as the area says. */
static bool entry_is_right(struct space *space, const struct map_result *found) REQUIRES(space->lock)
{
    const struct vma *area = vma_at(&space->areas, found->address);
    uint64_t physical = found->entry & ENTRY_ADDRESS;

    if (!area || ((found->entry & VMA_ACCESS) & ~(area->flags | VMA_READ)))
        return false;
    if (found->entry & ENTRY_SOFT)
        return area->touched && !(area->flags & (VMA_SHARED | AREA_FILLED)) &&
               swap_entry_is_right(space, found->entry, area_index(area, found->address));
    if (area->flags & VMA_DEVICE)
        return physical == area->offset + (found->address - area->start);
    if (found->entry & ENTRY_HUGE)
        return huge_entry_is_right(space, found);
    const struct page *page = mem_map_find(&memory_map, physical >> PAGE_SHIFT);
    if (!page || !(page_in_charge(page)->flags & PAGE_ALLOCATED) || !area->touched)
        return false;
    if (page->flags & PAGE_OF_OBJECT)
        return page->owner == area->object && page->index == area_index(area, found->address) &&
               ((area->flags & VMA_SHARED) || !(found->entry & ENTRY_WRITE));
    if (page->flags & PAGE_ZERO)
        return !area->object && !(found->entry & ENTRY_WRITE);
    return page_in_charge(page)->owner == space->family && page_index(page) == area_index(area, found->address) &&
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
            if (!(results[i].entry & ENTRY_DEVICE))
                pages += (long)entry_pages(results[i].entry, results[i].address, end);
        }
        start = next;
    }
    return pages;
}

/* Pages on their way to the space, in answers of other workers, count as resident and have no translation yet. */
static uint64_t pages_on_their_way(const struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < worker_count; i++) {
        /* In this order; see fault_retry(). */
        if (&workers[i] != worker && (__atomic_load_n(&workers[i].answering, __ATOMIC_ACQUIRE) == space ||
                                      __atomic_load_n(&workers[i].settling, __ATOMIC_ACQUIRE) == space))
            pages += space->huge_entries ? HUGE_PAGES : 1;
    }
    return pages;
}

static uint64_t check_space(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    uint64_t failures = report("areas of pid", space->pid, areas_check_locked(space));
    if (!space_has_memory(space))
        return failures;
    space_wait_for_faults_locked(worker, space);
    uint64_t on_their_way = pages_on_their_way(worker, space);
    long pages = count_right_entries(space, AREAS_LOW, USER_VA_END);
    bool ok = pages >= 0 && (uint64_t)pages <= space->resident && space->resident - (uint64_t)pages <= on_their_way;
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
    const uint64_t failures = report("memory groups", 0, memgroups_check());
    workers_resume(worker);
    if (account_adds_up(&memory))
        return failures;
    log_line("check: %lu pages, but free %lu lists %lu user %lu table %lu object %lu metadata %lu", memory.total,
             memory.free, memory.lists, memory.user, memory.table, memory.object, memory.metadata);
    return failures + 1;
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
    failures += report("tables", 0, tables_check());
    failures += report("per-CPU memory", 0, percpu_check(&own_percpu));
    failures += report("parked callers", 0, parking_check());
    failures += report("pages in transit", 0, transit_check());
    failures += report("swap slots", 0, swap_check());
    failures += report("own memory", 0, vmalloc_check(&own_space));
    failures += check_spaces(worker);
    failures += check_account(worker);
    return failures + check_kernel();
}
