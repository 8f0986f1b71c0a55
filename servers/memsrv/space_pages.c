/* SPDX-License-Identifier: MIT */
/* Pages into the translation tables of a space and out of them, in batches where there can be many. */
#include <errno.h>

#include <quire/syscall.h>

#include "log.h"
#include "memory.h"
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

int space_map_entry_locked(struct space *space, uint64_t address, uint64_t entry)
{
    const struct map_item item = {address | MAP_ITEM_MAP, entry};
    long result = map_items(space, &item, 1);

    /* The kernel says ENOMEM as long as a table is missing; three are the most that one page takes. */
    for (unsigned i = 0; result == -ENOMEM && i < FAULT_TABLES; i++) {
        int error = give_table(space);
        if (error)
            return error;
        result = map_items(space, &item, 1);
    }
    return result == 1 ? 0 : (int)result;
}

uint64_t space_entry_locked(struct space *space, uint64_t address)
{
    uint64_t next;
    long count = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, address, 1, 0, &next);
    const struct map_result *result = (const struct map_result *)ipc_buffer()->words;
    return count == 1 ? result->entry : 0;
}

struct page *space_page_locked(struct memsrv_context *worker, struct space *space, const struct vma *area,
                               uint64_t address)
{
    /* Twice, because a worker that answers a fault may map the page in between. */
    for (unsigned i = 0; i < 2; i++) {
        uint64_t entry = space_entry_locked(space, address);
        if (entry)
            return page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
        struct page *page = page_take(worker);
        if (!page)
            return NULL;
        page_zero(page);
        page->owner = space;
        page->index = address;
        int error = space_map_entry_locked(space, address, page_address(page) | entry_flags(area->flags));
        if (!error) {
            space->resident++;
            return page;
        }
        page_give(worker, page);
        if (error != -EEXIST)
            return NULL;
    }
    return NULL;
}

static void release_entry(struct memsrv_context *worker, struct space *space, const struct map_result *result)
    REQUIRES(space->lock)
{
    if (result->entry & ENTRY_DEVICE)
        return;
    struct page *page = page_of((result->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    ASSERT(page->owner == space && page->index == result->address);
    space->resident--;
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
    if (space->thread_count < 2)
        return;
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
