/* SPDX-License-Identifier: MIT */
/* What the requests of lib/proto/memsrv.proto do, for those that change something. */
#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "map.h"
#include "memory.h"
#include "space_pages.h"

static uint64_t caller_of(const struct message *request)
{
    return request->badge & ~BADGE_PRIVILEGED;
}

/* Finds and locks the caller's own space for a request about its memory. */
static bool enter_own(const struct message *request, struct space **space)
    TRY_ACQUIRE(true, (*space)->lock) NO_THREAD_SAFETY_ANALYSIS
{
    uint64_t pid = caller_of(request);
    *space = space_find(pid);
    if (!space_enter(*space, pid))
        return false;
    if (space_has_memory(*space))
        return true;
    space_leave(*space);
    return false;
}

/* --- The caller's memory ------------------------------------------------------------------------------------------ */

static int map_locked(struct memsrv_context *worker, struct space *space, const struct area_request *request,
                      uint64_t *address) REQUIRES(space->lock)
{
    int error = 0;
    if (request->exact) {
        *address = request->address;
        return area_replace_locked(worker, space, request);
    }
    return area_add_locked(space, request, address, &error) ? 0 : error;
}

int memsrv_handle_map(struct memsrv_context *context, const struct message *request, uint64_t address, uint64_t length,
                      uint64_t protection, uint64_t flags, uint64_t *address_out)
{
    struct space *space;
    struct area_request area = {.address = address, .length = length, .flags = protection};
    bool keep = flags & MEMSRV_MAP_FIXED_NOREPLACE;
    int error = protection_check(protection);

    if (error)
        return error;
    if ((flags & ~(MEMSRV_MAP_FIXED | MEMSRV_MAP_FIXED_NOREPLACE)) ||
        flags == (MEMSRV_MAP_FIXED | MEMSRV_MAP_FIXED_NOREPLACE))
        return -EINVAL;
    if (!enter_own(request, &space))
        return -ESRCH;
    if (keep) {
        area.exact = true;
        if (!area_add_locked(space, &area, address_out, &error))
            ASSERT(error != 0);
    } else {
        area.exact = flags & MEMSRV_MAP_FIXED;
        error = map_locked(context, space, &area, address_out);
    }
    space_leave(space);
    return error;
}

int memsrv_handle_unmap(struct memsrv_context *context, const struct message *request, uint64_t address,
                        uint64_t length)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = area_remove_locked(context, space, address, length);
    space_leave(space);
    return error;
}

int memsrv_handle_protect(struct memsrv_context *context, const struct message *request, uint64_t address,
                          uint64_t length, uint64_t protection)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = area_protect_locked(context, space, address, length, protection);
    space_leave(space);
    return error;
}

int memsrv_handle_brk(struct memsrv_context *context, const struct message *request, uint64_t address,
                      uint64_t *address_out)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    *address_out = heap_move_locked(context, space, address);
    space_leave(space);
    return 0;
}

/* --- The caller's objects and threads ----------------------------------------------------------------------------- */

int memsrv_handle_object_create(struct memsrv_context *context, const struct message *request, uint64_t type,
                                uint64_t *identifier, uint64_t *object)
{
    struct space *space = space_find(caller_of(request));
    if (type != CAP_ENDPOINT && type != CAP_NOTIFICATION && type != CAP_REPLY)
        return -EINVAL;
    if (!space_enter(space, caller_of(request)))
        return -ESRCH;
    int error = space_object_create_locked(space, (enum cap_type)type, 0, identifier, object);
    space_leave(space);
    return error;
}

int memsrv_handle_object_destroy(struct memsrv_context *context, const struct message *request, uint64_t identifier)
{
    struct space *space = space_find(caller_of(request));
    if (!space_enter(space, caller_of(request)))
        return -ESRCH;
    int error = space_object_destroy_locked(space, identifier);
    space_leave(space);
    return error;
}

int memsrv_handle_thread_create(struct memsrv_context *context, const struct message *request, uint64_t number,
                                uint64_t *buffer, uint64_t *thread)
{
    struct space *space;
    if (number == 0)
        return -EINVAL;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = space_thread_create_locked(context, space, number, buffer, thread);
    space_leave(space);
    return error;
}

int memsrv_handle_thread_destroy(struct memsrv_context *context, const struct message *request, uint64_t number)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = space_thread_destroy_locked(context, space, number);
    space_leave(space);
    return error;
}
