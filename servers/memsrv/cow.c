/* SPDX-License-Identifier: MIT */
/* Copy-on-write: see cow.h. */
#include "cow.h"

#include <errno.h>

#include <quire/syscall.h>

#include "areas.h"
#include "huge.h"
#include "log.h"
#include "memory.h"
#include "space_pages.h"
#include "swap.h"

/* Where memsrv itself has the page of zeros mapped, beside the pages that root gave it. */
#define ZERO_PAGE_ADDRESS 0x1f000UL

struct page *zero_page;

void cow_init(void)
{
    struct map_item *item = (struct map_item *)ipc_buffer()->words;

    zero_page = system_page_take(PAGE_ZERO);
    if (!zero_page)
        fatal("there is no memory for the page of zeros");
    page_zero(zero_page);
    *item = (struct map_item){ZERO_PAGE_ADDRESS | MAP_ITEM_MAP, page_address(zero_page) | ENTRY_READ | ENTRY_ACCESSED};
    long result = sys_map(SLOT_PHYSICAL, SLOT_ASPACE, 1);
    if (result != 1)
        fatal("the page of zeros cannot be mapped: error %ld", result);
}

enum cow_decision cow_decide_locked(struct memsrv_context *worker, struct space *space, const struct vma *area,
                                    uint64_t entry, uint64_t access, struct page **source)
{
    const bool writes = access & VMA_WRITE;

    if (!entry || (entry & ENTRY_SOFT))
        return COW_NOTHING; /* the next fault finds that */
    /* In a table that other spaces use, too, the right to write is the table's to withhold, not the entry's. */
    if (!(access & VMA_ACCESS & ~entry) && !(writes && (entry & ENTRY_SHARED)))
        return COW_NOTHING;
    if (!writes)
        return COW_RIGHTS;
    if (!(entry & ENTRY_SHARED))
        return COW_PROMOTE;
    *source = page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    if (__builtin_expect(__atomic_load_n(&(*source)->flags, __ATOMIC_RELAXED) & PAGE_SWAP_CACHE, 0) &&
        swap_take_over_locked(worker, space, *source))
        return COW_PROMOTE;
    return COW_COPY;
}

void cow_copy(const struct page *page, const struct page *source, const struct vma *area)
{
    if (source == zero_page) {
        page_zero(page);
        return;
    }
    machine_copy_page(page_window(page), page_window(source));
    if (area->flags & VMA_EXECUTE)
        machine_sync_code(page_window(page), PAGE_SIZE);
}

void cow_give_rights_locked(struct space *space, const struct vma *area, uint64_t address, uint64_t entry)
{
    uint64_t bytes = entry & ENTRY_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE;
    uint64_t start = address & ~(bytes - 1);
    space_protect_locked(space, start, start + bytes, cow_rights(area));
}

int cow_break_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address,
                     uint64_t entry)
{
    struct page *source = NULL;

    switch (cow_decide_locked(worker, space, area, entry, VMA_WRITE, &source)) {
    case COW_COPY: {
        struct page *page = space_page_take(worker, space);
        if (!page)
            return -ENOMEM;
        page->owner = space->family;
        page->index = area_index(area, address);
        cow_copy(page, source, area);
        int error =
            space_map_entry_locked(space, address | MAP_ITEM_REPLACE | MAP_ITEM_IF_READ_ONLY | MAP_ITEM_IF_SHARED,
                                   page_address(page) | entry_flags(area->flags));
        if (!error)
            return 0;
        user_page_give(worker, page);
        if (error != -EBUSY)
            return error;
        /* What else mapped it has gone meanwhile. */
        return space_promote_locked(space, address, entry_flags(area->flags));
    }
    case COW_PROMOTE:
        return space_promote_locked(space, address, entry_flags(area->flags));
    default:
        return 0;
    }
}
