/* SPDX-License-Identifier: MIT */
/* The requests that map memory, anonymous or an object's. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "limits.h"
#include "map.h"
#include "object.h"
#include "populate.h"
#include "requests.h"
#include "shortage.h"

#define MAP_FLAGS                                                                                                      \
    (MEMSRV_MAP_FIXED | MEMSRV_MAP_FIXED_NOREPLACE | MEMSRV_MAP_SHARED | MEMSRV_MAP_NO_RESERVE | MEMSRV_MAP_POPULATE | \
     MEMSRV_MAP_GROWS_DOWN | MEMSRV_MAP_LOCKED)

/* Turns the flags of a request into those of an area. EINVAL. */
static int flags_check(uint64_t flags, uint64_t protection, uint64_t *area_flags)
{
    const uint64_t fixed = MEMSRV_MAP_FIXED | MEMSRV_MAP_FIXED_NOREPLACE;

    if ((flags & ~MAP_FLAGS) || (flags & fixed) == fixed)
        return -EINVAL;
    if ((flags & MEMSRV_MAP_SHARED) && (flags & MEMSRV_MAP_GROWS_DOWN))
        return -EINVAL;
    *area_flags = protection;
    if (flags & MEMSRV_MAP_SHARED)
        *area_flags |= VMA_SHARED;
    if (flags & MEMSRV_MAP_NO_RESERVE)
        *area_flags |= VMA_NO_RESERVE;
    if (flags & MEMSRV_MAP_GROWS_DOWN)
        *area_flags |= VMA_GROWS_DOWN;
    if (flags & MEMSRV_MAP_LOCKED)
        *area_flags |= VMA_LOCKED;
    return 0;
}

static int map_locked(struct memsrv_context *worker, struct space *space, const struct area_request *request,
                      uint64_t flags, uint64_t *address) REQUIRES(space->lock)
{
    int error = 0;

    if ((flags & MEMSRV_MAP_LOCKED) && limits_admit_locking_locked(space, 0, 0))
        return -EPERM;
    if (flags & MEMSRV_MAP_FIXED) {
        *address = request->address;
        return area_replace_locked(worker, space, request);
    }
    return area_add_locked(space, request, address, &error) ? 0 : error;
}

/* Maps, and populates where that was asked for, as far as that goes. */
static int map_and_populate(struct memsrv_context *worker, const struct message *message, struct area_request *request,
                            uint64_t flags, uint64_t *address)
{
    struct space *space;

    request->exact = flags & (MEMSRV_MAP_FIXED | MEMSRV_MAP_FIXED_NOREPLACE);
    if (!enter_own(message, &space))
        return -ESRCH;
    request->flags |= space->future_lock;
    int error = map_locked(worker, space, request, flags, address);
    space_leave(space);
    if (!error && __builtin_expect((flags & MEMSRV_MAP_POPULATE) || is_locked_now(request->flags), 0)) {
        uint64_t end = *address + align_up(request->length, PAGE_SIZE);
        int ignored = populate(worker, caller_of(message), *address, end, POPULATE_AS_ALLOWED);
        (void)ignored; /* what is missing comes when it is touched */
    }
    return error;
}

int memsrv_handle_map(struct memsrv_context *context, const struct message *request, uint64_t address, uint64_t length,
                      uint64_t protection, uint64_t flags, uint64_t *address_out)
{
    struct area_request area = {.address = address, .length = length};
    int error = protection_check(protection);

    if (!error)
        error = flags_check(flags, protection, &area.flags);
    if (error)
        return error;
    if (__builtin_expect(!(flags & MEMSRV_MAP_SHARED), 1))
        return shortage_result(context, request, map_and_populate(context, request, &area, flags, address_out));
    if (length == 0)
        return -EINVAL;
    if (length > USER_VA_END)
        return -ENOMEM;
    struct object *object;
    bool promise = !(flags & MEMSRV_MAP_NO_RESERVE) || commit_policy.policy == OVERCOMMIT_NEVER;
    error = object_create(NULL, align_up(length, PAGE_SIZE), promise, true, &object);
    if (error)
        return shortage_result(context, request, error);
    area.object = object;
    error = map_and_populate(context, request, &area, flags, address_out);
    object_put(context, object); /* the area holds it now */
    return shortage_result(context, request, error);
}

/* Rights that a mapping needs of a grant, and those that it can never have. */
static int rights_check(uint64_t rights, uint64_t protection, bool shared, uint64_t *never)
{
    uint64_t allowed = shared ? rights : rights | VMA_WRITE;

    if (!(rights & VMA_READ) || (protection & ~allowed))
        return -EACCES;
    *never = (VMA_ACCESS & ~allowed) << VMA_NEVER_SHIFT;
    return 0;
}

int memsrv_handle_map_object(struct memsrv_context *context, const struct message *request, uint64_t address,
                             uint64_t length, uint64_t protection, uint64_t flags, uint64_t id, uint64_t offset,
                             uint64_t *address_out)
{
    struct area_request area = {.address = address, .length = length, .offset = offset};
    struct object *object;
    struct space *space;
    uint64_t rights, never, end;

    int error = protection_check(protection);
    if (!error)
        error = flags_check(flags, protection, &area.flags);
    if (!error && ((flags & MEMSRV_MAP_GROWS_DOWN) || !is_aligned(offset, PAGE_SIZE)))
        error = -EINVAL;
    if (!error && (__builtin_add_overflow(offset, length, &end) || end > OBJECT_SIZE_LIMIT))
        error = -EOVERFLOW;
    if (error)
        return error;
    if (!enter_own(request, &space))
        return -ESRCH;
    error = object_get(space, id, false, &object, &rights);
    space_leave(space);
    if (error)
        return error;
    error = rights_check(rights, protection, flags & MEMSRV_MAP_SHARED, &never);
    if (!error) {
        area.object = object;
        area.flags |= never;
        error = map_and_populate(context, request, &area, flags, address_out);
    }
    object_put(context, object);
    return shortage_result(context, request, error);
}

/* Maps a part into a space that is being built. */
static int map_part_locked(struct space *space, const struct memsrv_object_part *part, struct object *object,
                           uint64_t rights) REQUIRES(space->lock)
{
    struct area_request area = {.address = part->address,
                                .length = part->length,
                                .flags = part->protection,
                                .offset = part->offset,
                                .object = object,
                                .exact = true,
                                .privileged = true};
    uint64_t start, never, end;

    int error = protection_check(part->protection);
    if (!error)
        error = range_check(part->address, part->length, &end);
    if (!error && (!is_aligned(part->offset, PAGE_SIZE) || part->offset > OBJECT_SIZE_LIMIT - (end - part->address)))
        error = -EINVAL;
    if (!error)
        error = rights_check(rights, part->protection, false, &never);
    if (error)
        return error;
    area.flags |= never;
    if (area_add_locked(space, &area, &start, &error) && end <= MAPPINGS_LOW && end > space->image_end)
        space->image_end = end;
    return error;
}

int memsrv_handle_space_map_object(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                   uint64_t owner, uint64_t id, const struct memsrv_object_part *parts,
                                   size_t parts_count)
{
    struct space *space = space_find(owner);
    struct object *object;
    uint64_t rights;

    if (!space_enter(space, owner))
        return -ENOENT;
    int error = object_get(space, id, false, &object, &rights);
    space_leave(space);
    if (error)
        return error;
    space = space_find(pid);
    if (space_enter(space, pid)) {
        error = space_has_memory(space) ? 0 : -ESRCH;
        for (size_t i = 0; i < parts_count && !error; i++)
            error = map_part_locked(space, &parts[i], object, rights);
        space_leave(space);
    } else {
        error = -ESRCH;
    }
    object_put(context, object);
    return error;
}
