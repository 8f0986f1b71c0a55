/* SPDX-License-Identifier: MIT */
/* Settings of memsrv's that operators may change, and what else they may have of it. */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_dispatch.h>

#include "serve.h"

_Static_assert(sizeof(struct root_leak) == sizeof(struct memsrv_leak), "handed on as they are");

static int set_overcommit(uint64_t setting, uint64_t value)
{
    uint64_t policy, ratio, limit, committed;
    const int error = memsrv_overcommit_info(SLOT_MEMSRV, &policy, &ratio, &limit, &committed);

    if (error < 0)
        return error;
    if (setting == ROOT_VM_OVERCOMMIT_MEMORY)
        policy = value;
    else
        ratio = value;
    return memsrv_overcommit_set(SLOT_MEMSRV, policy, ratio);
}

int root_handle_vm_set(struct root_context *context, const struct message *request, uint64_t setting, uint64_t value)
{
    const struct process *caller = request_caller(request);

    (void)context;
    if (!caller || !caller->operator)
        return -EPERM;
    switch (setting) {
    case ROOT_VM_OVERCOMMIT_MEMORY:
    case ROOT_VM_OVERCOMMIT_RATIO:
        return set_overcommit(setting, value);
    case ROOT_VM_MIN_FREE_KBYTES:
        return value ? memsrv_vm_set(SLOT_MEMSRV, value, 0) : -EINVAL;
    case ROOT_VM_WATERMARK_SCALE_FACTOR:
        return value ? memsrv_vm_set(SLOT_MEMSRV, 0, value) : -EINVAL;
    case ROOT_VM_TRACE:
        return memsrv_trace_set(SLOT_MEMSRV, value);
    default:
        return -EINVAL;
    }
}

int root_handle_leak_scan(struct root_context *context, const struct message *request, uint64_t *objects,
                          uint64_t *found, struct root_leak *leaks, size_t leaks_capacity, size_t *leaks_count)
{
    const struct process *caller = request_caller(request);

    (void)context;
    if (!caller || !caller->operator)
        return -EPERM;
    return memsrv_leak_scan(SLOT_MEMSRV, objects, found, (struct memsrv_leak *)(void *)leaks, leaks_capacity,
                            leaks_count);
}
