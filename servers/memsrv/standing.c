/* SPDX-License-Identifier: MIT */
/* The requests about how a space stands when memory is short. */
#include <errno.h>

#include <mm/oom.h>
#include <proto/memsrv_dispatch.h>

#include "space.h"

int memsrv_handle_space_oom_adj(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                int64_t *adj, int64_t *least)
{
    const uint64_t number = pid ? pid : request->badge & ~BADGE_RIGHTS;
    struct space *space = space_find(number);

    if (!space_enter(space, number))
        return -ESRCH;
    *adj = space->standing.oom_adj;
    *least = space->standing.oom_adj_least;
    space_leave(space);
    return 0;
}

int memsrv_handle_space_oom_adj_set(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                    int64_t adj, uint64_t trusted)
{
    struct space *space = space_find(pid);
    int error = 0;

    if (adj < OOM_ADJ_MIN || adj > OOM_ADJ_MAX)
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    if (trusted)
        space->standing.oom_adj_least = (int32_t)adj;
    else if (adj < space->standing.oom_adj_least)
        error = -EACCES;
    if (!error)
        space->standing.oom_adj = (int32_t)adj;
    space_leave(space);
    return error;
}
