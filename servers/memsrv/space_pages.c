/* SPDX-License-Identifier: MIT */
/* Pages into the translation tables of a space and out of them, in batches where there can be many. */
#include <errno.h>

#include <quire/syscall.h>

#include "areas.h"
#include "cow.h"
#include "huge.h"
#include "memory.h"
#include "object.h"
#include "object_fault.h"
#include "pager_ring.h"
#include "space_pages.h"
#include "space_tables.h"
#include "swap.h"

static long map_items(const struct space *space, const struct map_item *items, uint64_t count)
{
    memcpy(ipc_buffer()->words, items, count * sizeof(*items));
    return sys_map(SLOT_PHYSICAL, space->aspace.slot, count);
}

/*
 * Maps items, giving the kernel the tables that it needs. Returns how many were mapped, in *error why not more.
 */
static uint64_t map_all(struct space *space, const struct map_item *items, uint64_t count, int *error)
    REQUIRES(space->lock)
{
    uint64_t done = 0;

    *error = 0;
    while (done < count) {
        uint64_t part = count - done < MAP_ITEMS_MAX ? count - done : MAP_ITEMS_MAX;
        long result = map_items(space, items + done, part);
        /* The kernel says ENOMEM as long as a table is missing. */
        if (result == -ENOMEM) {
            *error = space_give_table_locked(space);
            if (*error)
                break;
        } else if (result < 0) {
            *error = (int)result;
            break;
        } else {
            done += (uint64_t)result;
        }
    }
    return done;
}

int space_map_entry_locked(struct space *space, uint64_t target, uint64_t entry)
{
    const struct map_item item = {target | MAP_ITEM_MAP, entry};
    int error;
    (void)map_all(space, &item, 1, &error);
    return error;
}

uint64_t space_entry_locked(struct space *space, uint64_t address)
{
    uint64_t next;
    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, address, 1, 0, &next);
    const struct map_result *result = (const struct map_result *)ipc_buffer()->words;
    return count == 1 ? entry_at(result->entry, address) : 0;
}

static struct page *page_of_entry(uint64_t entry)
{
    return page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
}

struct page *space_page_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address)
{
    int error = area->object ? space_map_object_page_locked(worker, space, area, address, true)
                             : space_fill_locked(worker, space, area, address, address + PAGE_SIZE);
    uint64_t entry = error ? 0 : space_entry_locked(space, address);
    return entry && !(entry & ENTRY_SOFT) ? page_of_entry(entry) : NULL;
}

int space_map_object_page_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address,
                                 bool write)
{
    struct object_fault fault = {
        .address = address, .access = write ? VMA_WRITE : VMA_READ, .entry = space_entry_locked(space, address)};
    int error = object_fault_locked(worker, space, area, &fault);
    if (error || !fault.target)
        return error;
    const struct map_item item = {fault.target, fault.item};
    (void)map_all(space, &item, 1, &error);
    if (error)
        object_fault_undo_locked(worker, space, &fault);
    /* Somebody else's fault brought the page just now, or changed it. */
    return error == -EEXIST || error == -EBUSY || error == -ENOENT ? 0 : error;
}

uint64_t space_map_items_locked(struct space *space, const struct map_item *items, uint64_t count, int *error)
{
    uint64_t mapped = 0;

    *error = 0;
    for (uint64_t done = 0; done < count && (!*error || *error == -EEXIST); done++) {
        uint64_t part = map_all(space, items + done, count - done, error);
        mapped += part;
        done += part;
    }
    return mapped;
}

int space_promote_locked(struct space *space, uint64_t address, uint64_t rights)
{
    const struct map_item item = {address | MAP_ITEM_PROMOTE, rights};
    int error;
    (void)map_all(space, &item, 1, &error);
    return error;
}

void space_find_pages_locked(struct space *space, uint64_t start, uint64_t end, uint8_t *present)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    const uint64_t base = start;

    memset(present, 0, (end - start) >> PAGE_SHIFT);
    while (start < end) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        for (long i = 0; i < count; i++)
            memset(present + ((results[i].address - base) >> PAGE_SHIFT),
                   results[i].entry & ENTRY_SOFT ? PAGE_SWAPPED : 1,
                   entry_pages(results[i].entry, results[i].address, end));
        start = next;
    }
}

/* cow_break_locked() for what was found at `address`; of a huge page, for all of it that is below `end`. */
static int break_found(struct memsrv_context *worker, struct space *space, struct vma *area,
                       const struct map_result *found, uint64_t end) REQUIRES(space->lock)
{
    const uint64_t last = found->address + (entry_pages(found->entry, found->address, end) << PAGE_SHIFT);
    if (found->entry & ENTRY_SOFT)
        return 0; /* by way of a table that is in common, just now */
    int error = cow_break_locked(worker, space, area, found->address, entry_at(found->entry, found->address));

    for (uint64_t address = found->address + PAGE_SIZE; address < last && !error; address += PAGE_SIZE) {
        uint64_t entry = space_entry_locked(space, address);
        if (entry & ENTRY_HUGE)
            break; /* it was not split, so all of it was made writable */
        error = cow_break_locked(worker, space, area, address, entry);
    }
    return error;
}

/* Makes the pages of [start, end) that are there ones that can be written without a fault. ENOMEM. */
static int break_present(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start,
                         uint64_t end) REQUIRES(space->lock)
{
    struct map_result found[FILL_PAGES_MAX];
    uint64_t next;
    int error = 0;

    /* No answer on its way may change an entry that is looked at here. */
    space_wait_for_faults_locked(worker, space);
    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
    ASSERT(count >= 0 && next == end);
    memcpy(found, ipc_buffer()->words, (uint64_t)count * sizeof(*found));
    for (long i = 0; i < count && !error; i++)
        error = break_found(worker, space, area, &found[i], end);
    return error;
}

/* Takes pages for the addresses of [start, end) that have none; returns how many, fewer if memory ends. */
static uint64_t take_missing(struct memsrv_context *worker, struct space *space, const struct vma *area, uint64_t start,
                             uint64_t end, struct map_item items[FILL_PAGES_MAX]) REQUIRES(space->lock)
{
    uint8_t present[FILL_PAGES_MAX];
    uint64_t count = 0;

    space_find_pages_locked(space, start, end, present);
    for (uint64_t address = start; address < end; address += PAGE_SIZE) {
        if (present[(address - start) >> PAGE_SHIFT])
            continue;
        struct page *page = space_page_take(worker, space);
        if (!page)
            break;
        page_zero(page);
        page->owner = space->family;
        page->index = area_index(area, address);
        pager_note_mapped(worker, page);
        items[count++] = (struct map_item){address | MAP_ITEM_MAP, page_address(page) | entry_flags(area->flags)};
    }
    return count;
}

int space_fill_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start,
                      uint64_t end)
{
    struct map_item items[FILL_PAGES_MAX];
    uint64_t count, done = 0;
    int error = 0;

    ASSERT(end - start <= FILL_PAGES_MAX * PAGE_SIZE);
    error = swap_bring_range_locked(worker, space, area, start, end, area->flags & VMA_ACCESS);
    if (!error && area->touched && (area->flags & VMA_WRITE))
        error = break_present(worker, space, area, start, end);
    if (error)
        return error;
    area->touched = true;
    count = take_missing(worker, space, area, start, end, items);
    while (done < count && (!error || error == -EEXIST)) {
        uint64_t mapped = map_all(space, items + done, count - done, &error);
        space->resident += mapped;
        done += mapped;
        /* A worker that answers a fault was faster. */
        if (error == -EEXIST)
            user_page_give(worker, page_of_entry(items[done++].entry));
    }
    for (; done < count; done++)
        user_page_give(worker, page_of_entry(items[done].entry));
    if (error && error != -EEXIST)
        return error;
    /* Memory has ended if something is missing still. */
    uint8_t present[FILL_PAGES_MAX];
    space_find_pages_locked(space, start, end, present);
    return memchr(present, 0, (end - start) >> PAGE_SHIFT) ? -ENOMEM : 0;
}

/* An entry that is not that of a page of memory; returns how many pages it mapped. */
static __attribute__((noinline)) uint64_t release_other(struct memsrv_context *worker, struct space *space,
                                                        const struct map_result *result) REQUIRES(space->lock)
{
    if (result->entry & ENTRY_SOFT) {
        swap_entry_gone(worker, space, result->entry);
        return 1;
    }
    /* Of a table that other spaces go on using, the kernel tells how many pages it shows. */
    if (result->entry & ENTRY_TABLE)
        return (result->entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    if (!(result->entry & ENTRY_HUGE) || (result->entry & ENTRY_DEVICE))
        return 0;
    space->huge_entries--;
    if (result->entry & ENTRY_LAST)
        huge_give(worker, page_of_entry(result->entry));
    return HUGE_PAGES;
}

/* Counts the translations that were removed as gone, and gives back the pages that were the space's own. */
static void release_entries(struct memsrv_context *worker, struct space *space, const struct map_result *results,
                            long count) REQUIRES(space->lock)
{
    uint64_t pages = 0, own = 0;

    for (const struct map_result *result = results; result < results + count; result++) {
        if (__builtin_expect(result->entry & (ENTRY_DEVICE | ENTRY_TABLE | ENTRY_HUGE | ENTRY_SOFT), 0)) {
            pages += release_other(worker, space, result);
            continue;
        }
        struct page *page = page_of_entry(result->entry);
        pages++;
        if (!(result->entry & ENTRY_LAST)) {
            if (__builtin_expect(__atomic_load_n(&page->flags, __ATOMIC_RELAXED) & PAGE_SWAP_CACHE, 0))
                swap_page_unmapped(worker, space, page);
            continue;
        }
        if (__builtin_expect(__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) != PAGE_ALLOCATED, 0)) {
            if (page->flags & PAGE_OF_OBJECT)
                continue;
            if ((page->flags & ~PAGE_CHARGED) != PAGE_ALLOCATED)
                huge_part_with(page);
        }
        ASSERT(page->owner == space->family);
        page_give(worker, page);
        own++;
    }
    space->resident -= pages;
    worker->user_pages -= (int64_t)own;
}

void space_release_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;

    while (start < end) {
        uint64_t next = start;
        long count = sys_unmap(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        if (count == -ENOMEM)
            count = space_give_reserved_table_locked(space);
        ASSERT(count >= 0);
        release_entries(worker, space, results, count);
        start = next;
    }
    space_trim_now_and_then_locked(space);
}

void space_release_object_pages_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
{
    struct map_result found[MAP_ITEMS_MAX];

    while (start < end) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        memcpy(found, ipc_buffer()->words, (uint64_t)count * sizeof(*found));
        for (long i = 0; i < count; i++) {
            if (!(found[i].entry & ENTRY_SOFT) && (page_of_entry(found[i].entry)->flags & PAGE_OF_OBJECT))
                space_release_locked(worker, space, found[i].address, found[i].address + PAGE_SIZE);
        }
        start = next;
    }
}

/* An entry that went, and whose pages somebody else has; returns how many. */
static uint64_t forget_entry(struct space *space, const struct map_result *result) REQUIRES(space->lock)
{
    if (result->entry & ENTRY_SOFT)
        return 1;
    if (result->entry & ENTRY_TABLE)
        return (result->entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
    space->huge_entries -= (result->entry & ENTRY_HUGE) != 0;
    return entry_pages(result->entry, result->address, UINT64_MAX);
}

uint64_t space_forget_locked(struct space *space, uint64_t start, uint64_t end)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    uint64_t pages = 0;

    while (start < end) {
        uint64_t next = start;
        long count = sys_unmap(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        if (count == -ENOMEM)
            count = space_give_reserved_table_locked(space);
        ASSERT(count >= 0);
        for (long i = 0; i < count; i++)
            pages += forget_entry(space, &results[i]);
        start = next;
    }
    return pages;
}

/* An entry as it is mapped at another address. What others have, too, cannot be written there without a fault: of a
 * table in common the entry alone does not say so. */
static uint64_t moved_entry(uint64_t entry)
{
    return entry & ENTRY_SHARED ? entry & ~(ENTRY_SHARED | ENTRY_WRITE) : entry;
}

/* Maps what was found in [from, end) `distance` bytes further, too: a huge page as one where that can be, otherwise page
 * by page. ENOMEM, EEXIST. */
static int copy_entry(struct space *space, const struct map_result *found, uint64_t distance, uint64_t end)
    REQUIRES(space->lock)
{
    struct map_item items[MAP_ITEMS_MAX];
    uint64_t pages = entry_pages(found->entry, found->address, end), entry = moved_entry(found->entry), done = 0;
    int error = 0;

    if (pages == HUGE_PAGES && distance % HUGE_PAGE_SIZE == 0) {
        items[0] = (struct map_item){(found->address + distance) | MAP_ITEM_MAP, entry};
        space->huge_entries += map_all(space, items, 1, &error);
        return error;
    }
    entry = entry_at(entry, found->address) & ~ENTRY_HUGE;
    while (done < pages && !error) {
        uint64_t count = 0;
        for (; done < pages && count < MAP_ITEMS_MAX; done++)
            items[count++] = (struct map_item){(found->address + distance + (done << PAGE_SHIFT)) | MAP_ITEM_MAP,
                                               entry + (done << PAGE_SHIFT)};
        (void)map_all(space, items, count, &error);
    }
    return error;
}

/* copy_entry() for entries of the calling worker's buffer of which the first `count` are pages. */
static int copy_pages(struct space *space, const struct map_result *found, uint64_t count, uint64_t distance)
    REQUIRES(space->lock)
{
    struct map_item items[MAP_ITEMS_MAX];
    int error;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t kind = found[i].entry & ENTRY_SOFT ? MAP_ITEM_SOFT : MAP_ITEM_MAP;
        items[i] = (struct map_item){(found[i].address + distance) | kind, moved_entry(found[i].entry)};
    }
    (void)map_all(space, items, count, &error);
    return error;
}

/* Maps a second time, at `to`, what is mapped in a part of [from, from + length) that a harvest reads at once. */
static int copy_entries(struct space *space, uint64_t from, uint64_t to, uint64_t length, uint64_t *done)
    REQUIRES(space->lock)
{
    struct map_result found[MAP_ITEMS_MAX];
    uint64_t next = from;
    int error = 0;

    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, from, length >> PAGE_SHIFT, 0, &next);
    ASSERT(count >= 0 && next > from);
    memcpy(found, ipc_buffer()->words, (uint64_t)count * sizeof(*found));
    for (long i = 0; i < count && !error;) {
        long first = i;
        while (i < count && !(found[i].entry & ENTRY_HUGE))
            i++;
        if (i > first)
            error = copy_pages(space, found + first, (uint64_t)(i - first), to - from);
        else
            error = copy_entry(space, &found[i++], to - from, from + length);
    }
    *done = next - from;
    return error;
}

/* Before pages get a second mapping: makes tables that other spaces use, too, the space's own. What was written through
 * such a table could be written through it still by whom it is left to. */
static int part_from_tables(struct space *space, const struct vma *area, uint64_t start, uint64_t end)
    REQUIRES(space->lock)
{
    if (!space->shares_tables)
        return 0;
    int error = space_ready_to_change_locked(space, start, end, true);
    if (!error)
        space_protect_locked(space, start, end, cow_rights(area));
    return error;
}

int space_move_pages_locked(struct space *space, const struct vma *area, uint64_t from, uint64_t to, uint64_t length)
{
    int error = part_from_tables(space, area, from, from + length);

    if (error)
        return error;
    /* All are mapped twice before the first goes, so that a missing table costs nothing. */
    for (uint64_t offset = 0, done; offset < length; offset += done) {
        error = copy_entries(space, from + offset, to + offset, length - offset, &done);
        if (error)
            break;
    }
    if (!error)
        error = space_ready_to_change_locked(space, from, from + length, false);
    if (error)
        (void)space_forget_locked(space, to, to + length);
    else
        (void)space_forget_locked(space, from, from + length);
    return error;
}

void space_protect_locked(struct space *space, uint64_t start, uint64_t end, uint64_t access)
{
    while (start < end) {
        uint64_t next = start;
        long count = sys_protect(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, access, &next);
        if (count == -ENOMEM)
            count = space_give_reserved_table_locked(space);
        ASSERT(count >= 0);
        start = next;
    }
}

/* True if the worker has given its answer: it clears `answering` when it runs again, or waits for the next message. */
static bool has_answered(const struct memsrv_context *other, const struct space *space)
{
    const struct thread_info *info = (const struct thread_info *)ipc_buffer()->words;

    if (__atomic_load_n(&other->answering, __ATOMIC_ACQUIRE) != space)
        return true;
    long error = sys_thread_control(other->thread_slot, THREAD_INFO, 0, 0, 0, 0, 0);
    ASSERT(error == 0);
    return error || info->state == THREAD_STATE_RECEIVING;
}

bool worker_is_done_with(const struct memsrv_context *other, const struct space *space)
{
    return has_answered(other, space) && __atomic_load_n(&other->settling, __ATOMIC_ACQUIRE) != space;
}

void space_wait_for_faults_locked(struct memsrv_context *worker, struct space *space)
{
    if (space->thread_count >= 2)
        space_wait_for_answers_locked(worker, space);
}

void space_wait_for_answers_locked(struct memsrv_context *worker, struct space *space)
{
    for (uint32_t i = 0; i < worker_count; i++) {
        while (&workers[i] != worker && !has_answered(&workers[i], space))
            (void)sys_yield();
    }
}
