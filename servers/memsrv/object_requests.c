/* SPDX-License-Identifier: MIT */
/* The requests about memory objects themselves. */
#include <errno.h>

#include <base/bits.h>
#include <proto/memsrv_dispatch.h>

#include "object.h"
#include "requests.h"

/* The object that the caller owns, or may use at all, with a use more. ENOENT, ESRCH. */
static int get_for_caller(const struct message *request, uint64_t id, bool own, struct object **object)
{
    struct space *space;
    uint64_t rights;
    if (!enter_caller(request, &space))
        return -ESRCH;
    int error = object_get(space, id, own, object, &rights);
    space_leave(space);
    return error;
}

int memsrv_handle_object_memory_create(struct memsrv_context *context, const struct message *request, uint64_t size,
                                       uint64_t *id)
{
    struct object *object;
    struct space *space;

    if (!enter_caller(request, &space))
        return -ESRCH;
    int error = object_create(space, size, false, true, &object);
    space_leave(space);
    if (error)
        return error;
    *id = object->id;
    object_put(context, object); /* it is the caller's now */
    return 0;
}

int memsrv_handle_object_memory_resize(struct memsrv_context *context, const struct message *request, uint64_t id,
                                       uint64_t size)
{
    struct object *object;
    int error = get_for_caller(request, id, true, &object);
    if (error)
        return error;
    error = object->pinned ? -EINVAL : object_resize(context, object, size);
    object_put(context, object);
    return error;
}

int memsrv_handle_object_memory_grant(struct memsrv_context *context, const struct message *request, uint64_t id,
                                      uint64_t pid, uint64_t rights)
{
    struct object *object;
    struct space *space = space_find(pid);

    if (rights & ~OBJECT_RIGHTS_ALL)
        return -EINVAL;
    int error = get_for_caller(request, id, true, &object);
    if (error)
        return error;
    if (space_enter(space, pid)) {
        error = object_grant(object, space, rights);
        space_leave(space);
    } else {
        error = -ESRCH;
    }
    object_put(context, object);
    return error;
}

int memsrv_handle_object_memory_release(struct memsrv_context *context, const struct message *request, uint64_t id)
{
    struct space *space;
    if (!enter_caller(request, &space))
        return -ESRCH;
    int error = object_release(context, space, id);
    space_leave(space);
    return error;
}

int memsrv_handle_object_memory_info(struct memsrv_context *context, const struct message *request, uint64_t id,
                                     uint64_t *size, uint64_t *pages)
{
    struct object *object;
    int error = get_for_caller(request, id, false, &object);
    if (error)
        return error;
    object_read_info(object, size, pages);
    object_put(context, object);
    return 0;
}

int memsrv_handle_object_memory_discard(struct memsrv_context *context, const struct message *request, uint64_t id,
                                        uint64_t offset, uint64_t length)
{
    struct object *object;
    uint64_t end;

    if (__builtin_add_overflow(offset, length, &end) || offset > UINT64_MAX - PAGE_SIZE)
        return -EINVAL;
    int error = get_for_caller(request, id, true, &object);
    if (error)
        return error;
    if (object->pinned)
        error = -EINVAL;
    else
        object_discard(context, object, align_up(offset, PAGE_SIZE) >> PAGE_SHIFT, end >> PAGE_SHIFT);
    object_put(context, object);
    return error;
}

int memsrv_handle_memory_dma(struct memsrv_context *context, const struct message *request, uint64_t length,
                             uint64_t limit, uint64_t *id, uint64_t *pfn)
{
    struct space *space;

    if (length == 0 || length > OBJECT_DMA_PAGES_MAX * PAGE_SIZE)
        return -EINVAL;
    if (!enter_caller(request, &space))
        return -ESRCH;
    if (space->roles & MEMSRV_ROLE_RESERVE)
        context->reserve = true; /* others wait for what it does with it */
    int error = object_create_dma(context, space, align_up(length, PAGE_SIZE) >> PAGE_SHIFT, limit, id, pfn);
    space_leave(space);
    return error;
}

int memsrv_handle_dma_orphan(struct memsrv_context *context, const struct message *request, uint64_t cursor,
                             uint64_t *pid)
{
    *pid = objects_held_after(cursor);
    return *pid ? 0 : -ENOENT;
}

int memsrv_handle_dma_copy(struct memsrv_context *context, const struct message *request, uint64_t bytes,
                           const void *pairs, size_t pairs_bytes)
{
    uint64_t numbers[PROTO_DATA_MAX / sizeof(uint64_t)];

    if (bytes == 0 || pairs_bytes % (2 * sizeof(uint64_t)) ||
        bytes > (pairs_bytes / sizeof(uint64_t) / 2) * PAGE_SIZE ||
        align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT != pairs_bytes / sizeof(uint64_t) / 2)
        return -EINVAL;
    memcpy(numbers, pairs, pairs_bytes);
    return objects_dma_copy(context, numbers, bytes);
}

int memsrv_handle_dma_settle(struct memsrv_context *context, const struct message *request, uint64_t pid)
{
    objects_settle(context, pid);
    return 0;
}
