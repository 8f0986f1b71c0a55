/* SPDX-License-Identifier: MIT */
/* Looking at single entries, for tests: the answer says nothing about how long it holds. */
#include <errno.h>
#include <proto/memsrv_dispatch.h>

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
