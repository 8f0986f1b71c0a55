/* SPDX-License-Identifier: MIT */
/*
 * Getting memory back from huge pages that hold mostly zeros, when there is none: a program that touches little of each
 * huge page must not end for what it has not asked for. Linux calls them underused.
 */
#include <base/bits.h>
#include <quire/syscall.h>
#include <string.h>

#include "areas.h"
#include "cow.h"
#include "event.h"
#include "huge.h"
#include "space_pages.h"
#include "space_tables.h"

/* Splitting costs a table, so that fewer pages are no gain. */
#define PAGES_WORTH_IT 2u

static bool is_zero(const struct page *page)
{
    const uint64_t *words = (const uint64_t *)(const void *)page_window(page);

    for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
        if (words[i])
            return false;
    }
    return true;
}

/* Notes which pages of a block are zeros; how many. */
static uint64_t find_zeros(const struct page *block, uint64_t zeros[HUGE_PAGES / 64])
{
    uint64_t count = 0;

    memset(zeros, 0, HUGE_PAGES / 8);
    for (uint64_t i = 0; i < HUGE_PAGES; i++) {
        if (!is_zero(block + i))
            continue;
        zeros[i / 64] |= 1UL << i % 64;
        count++;
    }
    return count;
}

/* Unmaps the pages at `base` that were noted; they read as zeros again. */
static void release_zeros(struct memsrv_context *worker, struct space *space, uint64_t base,
                          const uint64_t zeros[HUGE_PAGES / 64]) REQUIRES(space->lock)
{
    for (uint64_t i = 0, first; i < HUGE_PAGES; i++) {
        for (first = i; i < HUGE_PAGES && (zeros[i / 64] >> i % 64 & 1); i++)
            continue;
        if (i > first)
            space_release_locked(worker, space, base + (first << PAGE_SHIFT), base + (i << PAGE_SHIFT));
    }
}

/* Takes the pages of zeros out of a huge page that nothing else maps. True: there were some. */
static bool shrink_place(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t base,
                         uint64_t entry) REQUIRES(space->lock)
{
    const struct page *block = page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    uint64_t zeros[HUGE_PAGES / 64];

    if (find_zeros(block, zeros) < PAGES_WORTH_IT || space_give_table_for_more_locked(space))
        return false;
    /* Who writes now waits for the lock; what was written until now is seen by the second look. */
    space_protect_locked(space, base, base + HUGE_PAGE_SIZE, area->flags & VMA_ACCESS & ~VMA_WRITE);
    const bool worth = find_zeros(block, zeros) >= PAGES_WORTH_IT;
    if (worth) {
        release_zeros(worker, space, base, zeros);
        event_count(worker, EVENT_THP_UNDERUSED);
    }
    space_protect_locked(space, base, base + HUGE_PAGE_SIZE, cow_rights(area));
    return worth;
}

/* Looks at the huge pages of an area until one has pages of zeros. */
static bool shrink_area(struct memsrv_context *worker, struct space *space, const struct vma *area)
    REQUIRES(space->lock)
{
    struct map_result found[MAP_ITEMS_MAX];
    uint64_t next;

    for (uint64_t start = area->start; start < area->end; start = next) {
        next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (area->end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        if (count < 0 || next <= start)
            return false;
        memcpy(found, ipc_buffer()->words, (uint64_t)count * sizeof(*found));
        for (long i = 0; i < count; i++) {
            if ((found[i].entry & (ENTRY_HUGE | ENTRY_SHARED)) == ENTRY_HUGE && huge_fits(area, found[i].address) &&
                is_aligned(found[i].address, HUGE_PAGE_SIZE) &&
                shrink_place(worker, space, area, found[i].address, found[i].entry))
                return true;
        }
    }
    return false;
}

static bool shrink_space(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock)
{
    bool done = false;

    if (!space->pid || !space_has_memory(space) || !space->huge_entries)
        return false;
    space_wait_for_answers_locked(worker, space);
    for (const struct vma *area = vma_first(&space->areas); area && !done; area = vma_next(&space->areas, area)) {
        if (area->touched && !area->object && !(area->flags & VMA_LOCKED))
            done = shrink_area(worker, space, area);
    }
    return done;
}

bool huge_shrink(struct memsrv_context *worker)
{
    bool done = false;

    for (uint32_t i = 0; i < SPACES_MAX && !done; i++) {
        spinlock_acquire(&spaces[i].lock);
        done = shrink_space(worker, &spaces[i]);
        spinlock_release(&spaces[i].lock);
    }
    return done;
}
