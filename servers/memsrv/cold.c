/* SPDX-License-Identifier: MIT */
/* Pages that a program says it will not use: the pager is told of the range, and asks here which pages those are. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>
#include <quire/syscall.h>

#include "family.h"
#include "memory.h"
#include "pager.h"
#include "paging_pages.h"
#include "space_pages.h"

/* True if nothing but the space has the page: what others use is not this one's to give up. */
static bool is_its_alone(const struct space *space, const struct page *page, uint64_t entry) REQUIRES(space->lock)
{
    uint64_t references = 0;

    if (!(entry & ENTRY_SHARED))
        return true;
    /* The swap cache counts as somebody else, and hides whether a table that others have, too, is one. */
    if (!(__atomic_load_n(&page->flags, __ATOMIC_RELAXED) & PAGE_SWAP_CACHE) || !family_is_alone(space))
        return false;
    const long type = sys_system(SLOT_PHYSICAL, SYSTEM_FRAME_INFO, page_pfn(page), 0, &references);
    return type == FRAME_USER && references == 2;
}

/* The page of a result; NULL: it is none that can go. */
static const struct page *page_of_result(const struct space *space, const struct map_result *result)
    REQUIRES(space->lock)
{
    if (result->entry & (ENTRY_SOFT | ENTRY_DEVICE | ENTRY_HUGE))
        return NULL;
    const struct page *page = mem_map_find(&memory_map, (result->entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    return page && is_its_alone(space, page, result->entry) ? page : NULL;
}

int memsrv_handle_space_cold(struct memsrv_context *context, const struct message *request, uint64_t pid,
                             uint64_t address, uint64_t end, uint64_t *next, struct memsrv_page_use *pages,
                             size_t pages_capacity, size_t *pages_count)
{
    struct map_result found[MAP_ITEMS_MAX];
    struct space *space = space_find(pid);
    size_t count = 0;
    long entries = 0;

    if (!pager_is_caller(request))
        return -EPERM;
    if (((address | end) & ~PAGE_MASK) || address >= end || end > USER_VA_END || pages_capacity == 0)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    *next = end;
    if (space_has_memory(space)) {
        entries = sys_harvest(SLOT_PHYSICAL, space->aspace.slot, address, (end - address) >> PAGE_SHIFT, 0, next);
        ASSERT(entries >= 0 && *next > address);
        memcpy(found, ipc_buffer()->words, (uint64_t)entries * sizeof(*found));
    }
    for (long i = 0; i < entries; i++) {
        if (count == pages_capacity) {
            *next = found[i].address;
            break;
        }
        const struct page *page = page_of_result(space, &found[i]);
        count += page && page_describe(page, &pages[count]);
    }
    space_leave(space);
    *pages_count = count;
    return 0;
}
