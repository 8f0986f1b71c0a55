/* SPDX-License-Identifier: MIT */
/* What the requests of lib/proto/memsrv.proto do, for those that change something. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "map.h"
#include "populate.h"
#include "requests.h"
#include "shortage.h"

int memsrv_handle_unmap(struct memsrv_context *context, const struct message *request, uint64_t address,
                        uint64_t length)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = area_remove_locked(context, space, address, length);
    space_leave(space);
    return shortage_result(context, request, error);
}

int memsrv_handle_protect(struct memsrv_context *context, const struct message *request, uint64_t address,
                          uint64_t length, uint64_t protection)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = area_protect_locked(context, space, address, length, protection);
    space_leave(space);
    return shortage_result(context, request, error);
}

int memsrv_handle_brk(struct memsrv_context *context, const struct message *request, uint64_t address,
                      uint64_t *address_out)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    const uint64_t heap_end = space->heap_end, before = align_up(heap_end, PAGE_SIZE);
    *address_out = heap_move_locked(context, space, address);
    bool lock = is_locked_now(space->future_lock);
    space_leave(space);
    if (__builtin_expect(lock && *address_out > before && before, 0)) {
        int ignored =
            populate(context, caller_of(request), before, align_up(*address_out, PAGE_SIZE), POPULATE_AS_ALLOWED);
        (void)ignored; /* what is missing comes when it is touched */
    }
    const bool failed = address > heap_end && *address_out == heap_end;
    return failed && shortage_park(context, request) == PROTO_PARKED ? PROTO_PARKED : 0;
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
    return shortage_result(context, request, error);
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

int memsrv_handle_slots_add(struct memsrv_context *context, const struct message *request, uint64_t *end)
{
    struct space *space;
    if (!enter_own(request, &space))
        return -ESRCH;
    int error = space->slot_frames < MEMSRV_SLOT_FRAME_QUOTA ? kernel_table_grow(&space->table) : -EDQUOT;
    if (!error)
        *end = ++space->slot_frames * SLOTS_PER_FRAME;
    space_leave(space);
    return shortage_result(context, request, error);
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
    return shortage_result(context, request, error);
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
