/* SPDX-License-Identifier: MIT */
/* Looking at single entries, for tests: the answer says nothing about how long it holds. */
#include <errno.h>
#include <proto/memsrv_dispatch.h>

#include "family.h"
#include "huge.h"
#include "memory.h"
#include "space_pages.h"

int memsrv_handle_space_entry(struct memsrv_context *worker, const struct message *request, uint64_t pid,
                              uint64_t address, uint64_t *entry)
{
    struct space *space = space_find(pid);

    (void)worker, (void)request;
    if (address % PAGE_SIZE || address >= USER_VA_END)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    int error = space_has_memory(space) ? 0 : -ESRCH;
    if (error == 0)
        *entry = space_entry_locked(space, address);
    space_leave(space);
    return error;
}

/* The page of anonymous memory at an address of a locked space, or NULL. */
static const struct page *anonymous_page(struct space *space, uint64_t address) REQUIRES(space->lock)
{
    uint64_t entry = space_has_memory(space) ? space_entry_locked(space, address) : 0;
    if (!entry || (entry & (ENTRY_SOFT | ENTRY_DEVICE)))
        return NULL;
    const struct page *page = page_of((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
    return page->flags & (PAGE_OF_OBJECT | PAGE_ZERO) ? NULL : page;
}

int memsrv_handle_space_mappings(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                 uint64_t address, struct memsrv_mapping *mappings, size_t mappings_capacity,
                                 size_t *mappings_count)
{
    struct mapping found[SPACES_MAX];
    struct space *space = space_find(pid);

    (void)context, (void)request;
    if (address % PAGE_SIZE || address >= USER_VA_END)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    const struct page *page = anonymous_page(space, address);
    struct family *family = space->family;
    if (page)
        family_hold(family);
    space_leave(space);
    if (!page)
        return -ENOENT;
    uint32_t count = family_find_mappings(family, page, found, SPACES_MAX);
    family_put(family);
    for (*mappings_count = 0; *mappings_count < count && *mappings_count < mappings_capacity; ++*mappings_count)
        mappings[*mappings_count] = (struct memsrv_mapping){found[*mappings_count].pid, found[*mappings_count].address};
    return 0;
}
