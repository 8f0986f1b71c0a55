/* SPDX-License-Identifier: MIT */
/* Waiting for memory: see shortage.h. */
#include "shortage.h"

#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "memgroups.h"
#include "memory.h"
#include "pager.h"
#include "parking.h"
#include "requests.h"

/* So often a request waits: others may have taken what was freed each time. */
#define WAITS_MAX 16u

int shortage_wait(struct memsrv_context *worker, const struct message *m, uint32_t group)
{
    const struct parking_request request = {
        .key = {MEMSRV_DEMAND_RECLAIM, group, 0}, .count = 1, .access = MEMSRV_RECLAIM_URGENT};

    parking_allow(worker, m);
    const int error = parking_wait(worker, &request);
    if (error != -EINPROGRESS)
        parking_forbid(worker);
    return error;
}

/* True if the caller can wait: what it does is needed by nobody who frees memory. */
static bool may_wait(const struct message *request)
{
    struct space *space;

    if (!enter_own(request, &space))
        return false;
    const bool may = !(space->roles & (MEMSRV_ROLE_PAGER | MEMSRV_ROLE_RESERVE));
    space_leave(space);
    return may;
}

int shortage_park(struct memsrv_context *worker, const struct message *request)
{
    if (!worker->starved || !pager_is_expected() || !memory_is_short() || !may_wait(request) ||
        worker->record->waits == WAITS_MAX)
        return -ENOMEM;
    worker->record->waits++;
    return shortage_wait(worker, request, MEMGROUP_ROOT) == -EINPROGRESS ? PROTO_PARKED : -ENOMEM;
}
