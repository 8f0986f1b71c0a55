/* SPDX-License-Identifier: MIT */
/* Pages into the translation tables of a space and out of them, in batches where there can be many. */
#include <errno.h>

#include <quire/syscall.h>

#include "areas.h"
#include "memory.h"
#include "object.h"
#include "object_fault.h"
#include "space_pages.h"

/* Tables to leave with the kernel, and from when on it is worth asking for the others. */
#define TABLES_KEPT     6u
#define TABLES_PLENTY   24u
#define PAGES_PER_TABLE 256u

static long map_items(const struct space *space, const struct map_item *items, uint64_t count)
{
    memcpy(ipc_buffer()->words, items, count * sizeof(*items));
    return sys_map(SLOT_PHYSICAL, space->aspace.slot, count);
}

/* Gives the kernel one more table for the space. */
static int give_table(struct space *space) REQUIRES(space->lock)
{
    struct page *page = system_page_take(PAGE_TABLE);
    if (!page)
        return -ENOMEM;
    const struct map_item item = {MAP_ITEM_TABLE, page_address(page)};
    long result = map_items(space, &item, 1);
    if (result != 1) {
        system_page_give(page);
        return (int)result;
    }
    space->tables++;
    return 0;
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
            *error = give_table(space);
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
    return count == 1 ? result->entry : 0;
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
    return entry ? page_of_entry(entry) : NULL;
}

int space_map_object_page_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                 uint64_t address, bool write)
{
    struct object_fault fault = {
        .address = address, .access = write ? VMA_WRITE : VMA_READ, .entry = space_entry_locked(space, address)};
    int error = object_fault_locked(worker, space, area, &fault);
    if (error || !fault.page)
        return error;
    error = space_map_entry_locked(space, address | (fault.replaces ? MAP_ITEM_REPLACE : 0),
                                   page_address(fault.page) | fault.rights);
    if (error)
        object_fault_undo_locked(worker, space, &fault);
    /* Somebody else's fault brought the page just now. */
    return error == -EEXIST ? 0 : error;
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
            present[(results[i].address - base) >> PAGE_SHIFT] = 1;
        start = next;
    }
}

/* Takes pages for the addresses of [start, end) that have none; returns how many, fewer if memory ends. */
static uint64_t take_missing(struct memsrv_context *worker, struct space *space, const struct vma *area,
                             uint64_t start, uint64_t end, struct map_item items[FILL_PAGES_MAX])
    REQUIRES(space->lock)
{
    uint8_t present[FILL_PAGES_MAX];
    uint64_t count = 0;

    space_find_pages_locked(space, start, end, present);
    for (uint64_t address = start; address < end; address += PAGE_SIZE) {
        if (present[(address - start) >> PAGE_SHIFT])
            continue;
        struct page *page = page_take(worker);
        if (!page)
            break;
        page_zero(page);
        page->owner = space;
        page->index = address;
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
    area->touched = true;
    count = take_missing(worker, space, area, start, end, items);
    while (done < count && (!error || error == -EEXIST)) {
        uint64_t mapped = map_all(space, items + done, count - done, &error);
        space->resident += mapped;
        done += mapped;
        /* A worker that answers a fault was faster. */
        if (error == -EEXIST)
            page_give(worker, page_of_entry(items[done++].entry));
    }
    for (; done < count; done++)
        page_give(worker, page_of_entry(items[done].entry));
    if (error && error != -EEXIST)
        return error;
    /* Memory has ended if something is missing still. */
    uint8_t present[FILL_PAGES_MAX];
    space_find_pages_locked(space, start, end, present);
    return memchr(present, 0, (end - start) >> PAGE_SHIFT) ? -ENOMEM : 0;
}

static void release_entry(struct memsrv_context *worker, struct space *space, const struct map_result *result)
    REQUIRES(space->lock)
{
    if (result->entry & ENTRY_DEVICE)
        return;
    struct page *page = page_of_entry(result->entry);
    space->resident--;
    if (page->flags & PAGE_OF_OBJECT) {
        space->object_resident--;
        return;
    }
    ASSERT(page->owner == space && page->index == result->address);
    page_give(worker, page);
}

void space_release_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;

    while (start < end) {
        uint64_t next = start;
        long count = sys_unmap(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        for (long i = 0; i < count; i++)
            release_entry(worker, space, &results[i]);
        start = next;
    }
    if (space->tables > TABLES_PLENTY + space->resident / PAGES_PER_TABLE)
        space_trim_tables_locked(space, TABLES_KEPT);
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
            if (page_of_entry(found[i].entry)->flags & PAGE_OF_OBJECT)
                space_release_locked(worker, space, found[i].address, found[i].address + PAGE_SIZE);
        }
        start = next;
    }
}

/* Unmaps [start, end) and counts nothing: the pages are mapped elsewhere. */
static void forget_entries(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    while (start < end) {
        uint64_t next = start;
        long count = sys_unmap(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        start = next;
    }
}

/* Maps a second time, at `to`, what is mapped in a part of [from, from + length) that a harvest reads at once. */
static int copy_entries(struct space *space, uint64_t from, uint64_t to, uint64_t length, uint64_t *done)
    REQUIRES(space->lock)
{
    struct map_item items[MAP_ITEMS_MAX];
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;
    uint64_t next = from;
    int error;

    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, from, length >> PAGE_SHIFT, 0, &next);
    ASSERT(count >= 0 && next > from);
    for (long i = 0; i < count; i++)
        items[i] = (struct map_item){(results[i].address - from + to) | MAP_ITEM_MAP, results[i].entry};
    *done = next - from;
    (void)map_all(space, items, (uint64_t)count, &error);
    return error;
}

/* Notes where the pages at [start, end) are now. */
static void move_indexes(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock)
{
    const struct map_result *results = (const struct map_result *)ipc_buffer()->words;

    while (start < end) {
        uint64_t next = start;
        long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, 0, &next);
        ASSERT(count >= 0 && next > start);
        for (long i = 0; i < count; i++) {
            struct page *page = page_of_entry(results[i].entry);
            if (!(page->flags & PAGE_OF_OBJECT))
                page->index = results[i].address;
        }
        start = next;
    }
}

int space_move_pages_locked(struct memsrv_context *worker, struct space *space, uint64_t from, uint64_t to,
                            uint64_t length)
{
    (void)worker;
    /* All are mapped twice before the first goes, so that a missing table costs nothing. */
    for (uint64_t offset = 0, done; offset < length; offset += done) {
        int error = copy_entries(space, from + offset, to + offset, length - offset, &done);
        if (error) {
            forget_entries(space, to, to + length);
            return error;
        }
    }
    forget_entries(space, from, from + length);
    move_indexes(space, to, to + length);
    return 0;
}

void space_protect_locked(struct space *space, uint64_t start, uint64_t end, uint64_t access)
{
    while (start < end) {
        uint64_t next = start;
        long count = sys_protect(SLOT_PHYSICAL, space->aspace.slot, start, (end - start) >> PAGE_SHIFT, access, &next);
        ASSERT(count >= 0 && next > start);
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

void space_trim_tables_locked(struct space *space, uint64_t keep)
{
    const uint64_t *pfns = ipc_buffer()->words;
    long spare = sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_INFO, 0, 0, NULL);

    while (spare > (long)keep) {
        long count =
            sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_TAKE_TABLES, (uint64_t)spare - keep, 0, NULL);
        ASSERT(count > 0);
        if (count <= 0)
            return;
        for (long i = 0; i < count; i++)
            system_page_give(page_of(pfns[i]));
        space->tables -= (uint64_t)count;
        spare -= count;
    }
}
