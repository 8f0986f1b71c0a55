/* SPDX-License-Identifier: MIT */
/* Requests about who has how much memory, and who is ended when there is none: memsrv keeps it, root knows who may. */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_dispatch.h>

#include "bootstrap.h"
#include "serve.h"

/* The process that a request names, 0: its caller. NULL: there is none, or it can never be ended. */
static const struct process *process_named(const struct process *caller, uint64_t pid)
{
    const struct process *process = pid ? process_find(pid) : caller;

    return process && process->state == PROCESS_RUNNING && process->pid > PID_MEMSRV ? process : NULL;
}

int root_handle_oom_adj_get(struct root_context *context, const struct message *request, uint64_t pid, int64_t *adj)
{
    const struct process *process = process_named(request_caller(request), pid);
    int64_t least;

    return process ? memsrv_space_oom_adj(SLOT_MEMSRV, process->pid, adj, &least) : -ESRCH;
}

int root_handle_oom_adj_set(struct root_context *context, const struct message *request, uint64_t pid, int64_t adj)
{
    const struct process *caller = request_caller(request), *process = process_named(caller, pid);

    if (!caller || !process)
        return -ESRCH;
    if (!caller->operator&& caller != process && !process_descends(process, caller->pid))
        return -EPERM;
    return memsrv_space_oom_adj_set(SLOT_MEMSRV, process->pid, adj, caller->operator);
}

/* --- Memory groups ------------------------------------------------------------------------------------------------ */

static bool is_operator(const struct message *request)
{
    const struct process *caller = request_caller(request);

    return caller && caller->operator;
}

int root_handle_memgroup_create(struct root_context *context, const struct message *request, uint64_t parent,
                                uint64_t *group)
{
    return is_operator(request) ? memsrv_memgroup_create(SLOT_MEMSRV, parent, group) : -EPERM;
}

int root_handle_memgroup_destroy(struct root_context *context, const struct message *request, uint64_t group)
{
    return is_operator(request) ? memsrv_memgroup_destroy(SLOT_MEMSRV, group) : -EPERM;
}

int root_handle_memgroup_limit(struct root_context *context, const struct message *request, uint64_t group,
                               uint64_t memory, uint64_t swap)
{
    return is_operator(request) ? memsrv_memgroup_limit(SLOT_MEMSRV, group, memory, swap) : -EPERM;
}

int root_handle_memgroup_move(struct root_context *context, const struct message *request, uint64_t pid, uint64_t group)
{
    const struct process *process = process_named(request_caller(request), pid);

    if (!is_operator(request))
        return -EPERM;
    return process ? memsrv_memgroup_move(SLOT_MEMSRV, process->pid, group) : -ESRCH;
}
