/* SPDX-License-Identifier: MIT */
/* Objects come and go: SYS_OBJECT_CREATE and SYS_OBJECT_DESTROY. */
#include <errno.h>

#include "kernel.h"

/* Waiters woken or capabilities emptied in one call. */
#define DESTROY_STEPS 64u

struct object physical_object = {.type = CAP_PHYSICAL};

static const struct {
    uint16_t stride, per_frame;
} shapes[CAP_TYPE_COUNT] = {
    [CAP_THREAD] = {THREAD_STRIDE, OBJECTS_PER_FRAME_THREAD},
    [CAP_ASPACE] = {ASPACE_STRIDE, OBJECTS_PER_FRAME_ASPACE},
    [CAP_ENDPOINT] = {SMALL_STRIDE, OBJECTS_PER_FRAME_SMALL},
    [CAP_NOTIFICATION] = {SMALL_STRIDE, OBJECTS_PER_FRAME_SMALL},
    [CAP_REPLY] = {SMALL_STRIDE, OBJECTS_PER_FRAME_SMALL},
    [CAP_IRQ] = {SMALL_STRIDE, OBJECTS_PER_FRAME_SMALL},
    [CAP_TABLE] = {PAGE_SIZE, OBJECTS_PER_FRAME_TABLE},
    [CAP_SLOTS] = {PAGE_SIZE, 1},
};

bool require_physical(const struct thread *caller, uint64_t slot, long *error)
{
    return cap_find(caller->table, slot, CAP_PHYSICAL, RIGHT_CONTROL, error) != NULL;
}

/* Takes a place in a frame; *object is zeroed memory in the direct map. */
static long take_place(uint64_t pfn, enum cap_type type, uint64_t index, struct object **object)
{
    bool fresh;
    long error = frame_add_object(&frames, pfn, type, &fresh);
    if (error)
        return error;
    void *page = direct_map(pfn << PAGE_SHIFT);
    if (fresh) {
        window_remove(pfn);
        arch_zero_page(page);
    }
    *object = (struct object *)((uint8_t *)page + index * shapes[type].stride);
    /* A frame of slots has no room for a type: whatever is in it, it is taken. */
    if (!fresh && (shapes[type].per_frame == 1 || (*object)->type != CAP_NONE)) {
        frame_remove_object(&frames, pfn);
        return -EBUSY;
    }
    if (!fresh)
        __builtin_memset(*object, 0, shapes[type].stride);
    return 0;
}

static void give_back_place(struct object *object)
{
    uint64_t pfn = direct_map_to_physical(object) >> PAGE_SHIFT;
    object->type = CAP_NONE;
    if (frame_remove_object(&frames, pfn))
        window_add(pfn);
}

static long create_slots(struct thread *caller, uint64_t pfn, uint64_t table_slot)
{
    long error = 0;
    struct object *place;
    struct cap_table *table = (struct cap_table *)cap_find(caller->table, table_slot, CAP_TABLE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    if (table->frames == CAP_TABLE_FRAMES_MAX)
        return -ENOSPC;
    error = take_place(pfn, CAP_SLOTS, 0, &place);
    if (error)
        return error;
    return cap_table_grow(table, (struct cap *)place);
}

static long init_object(struct object *object, enum cap_type type, uint64_t extra)
{
    object->type = type;
    if (type == CAP_THREAD)
        thread_init((struct thread *)object);
    if (type == CAP_ASPACE)
        return aspace_init((struct aspace *)object, extra);
    if (type == CAP_IRQ)
        return irq_claim((struct irq *)object, extra);
    return 0;
}

long object_create(struct thread *caller)
{
    const struct context *context = &caller->context;
    uint64_t type = context_argument(context, 1);
    uint64_t pfn = context_argument(context, 2);
    uint64_t index = context_argument(context, 3);
    uint64_t extra = context_argument(context, 5);
    struct object *object;
    long error = 0;

    if (!require_physical(caller, context_argument(context, 0), &error))
        return error;
    if (type >= CAP_TYPE_COUNT || index >= shapes[type].per_frame)
        return -EINVAL;
    if (type == CAP_SLOTS)
        return create_slots(caller, pfn, extra);
    struct cap *target = cap_slot(caller->table, context_argument(context, 4));
    if (!target)
        return -EBADF;
    if (target->word)
        return -EEXIST;
    error = take_place(pfn, (enum cap_type)type, index, &object);
    if (error)
        return error;
    error = init_object(object, (enum cap_type)type, extra);
    if (error) {
        give_back_place(object);
        return error;
    }
    cap_set(target, object, RIGHT_ALL, 0);
    return 0;
}

/* Wakes `thread`, which waits for a thing that goes away. */
static void turn_away(struct thread *thread)
{
    ipc_cancel(thread, -EPIPE);
    sched_wake(thread);
}

static long end_endpoint(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < DESTROY_STEPS; i++) {
        if (endpoint->senders.head)
            turn_away(endpoint->senders.head);
        else if (endpoint->receivers)
            turn_away(endpoint->receivers);
        else if (endpoint->members)
            ipc_leave(endpoint->members);
        else
            break;
    }
    if (endpoint->senders.head || endpoint->receivers || endpoint->members)
        return -EAGAIN;
    if (endpoint->bound)
        endpoint->bound->bound = NULL;
    endpoint->bound = NULL;
    return 0;
}

static long end_notification(struct notification *notification)
{
    for (unsigned i = 0; i < DESTROY_STEPS && notification->waiters.head; i++)
        turn_away(notification->waiters.head);
    if (notification->waiters.head)
        return -EAGAIN;
    if (notification->bound)
        notification->bound->bound = NULL;
    notification->bound = NULL;
    return 0;
}

static void end_reply(struct reply *reply)
{
    if (reply->receiver)
        turn_away(reply->receiver);
    ipc_abandon(reply, -EPIPE);
    if (reply->server)
        reply->server->serving = NULL;
    reply->server = NULL;
}

/* Gives one frame of slots back: result 1 and its pfn, or 0 if there is none left. */
static long end_table(struct thread *caller, struct cap_table *table)
{
    if (table->users)
        return -EBUSY;
    struct cap *slots = cap_table_shrink(table);
    if (!slots)
        return 0;
    uint64_t pfn = direct_map_to_physical(slots) >> PAGE_SHIFT;
    context_set_second(&caller->context, pfn);
    if (frame_remove_object(&frames, pfn))
        window_add(pfn);
    return 1;
}

/* Ends what the object does. Positive: more to be done, as SYS_OBJECT_DESTROY returns it. */
static long end_object(struct thread *caller, struct object *object)
{
    switch (object->type) {
    case CAP_THREAD:
        return thread_destroy((struct thread *)object);
    case CAP_ASPACE:
        return aspace_destroy((struct aspace *)object);
    case CAP_ENDPOINT:
        return end_endpoint((struct endpoint *)object);
    case CAP_NOTIFICATION:
        return end_notification((struct notification *)object);
    case CAP_REPLY:
        end_reply((struct reply *)object);
        return 0;
    case CAP_IRQ:
        irq_release((struct irq *)object);
        return 0;
    case CAP_TABLE:
        return end_table(caller, (struct cap_table *)object);
    default:
        return -EPERM;
    }
}

/* Empties the capabilities of `object` but `keep`; false if some are left after a bounded number. */
static bool revoke_others(struct object *object, const struct cap *keep)
{
    for (unsigned i = 0; i < DESTROY_STEPS; i++) {
        struct cap *cap = object->caps == keep ? keep->next : object->caps;
        if (!cap)
            return true;
        cap_clear(cap);
    }
    return object->caps == keep && !keep->next;
}

long object_destroy(struct thread *caller)
{
    uint64_t slot = context_argument(&caller->context, 1);
    long error = 0;

    context_set_second(&caller->context, 0);
    if (!require_physical(caller, context_argument(&caller->context, 0), &error))
        return error;
    struct cap *cap = cap_slot(caller->table, slot);
    if (!cap || !cap->word)
        return -EBADF;
    if (!(cap_rights(cap) & RIGHT_CONTROL))
        return -EPERM;
    struct object *object = cap_object(cap);
    if (object->type == CAP_PHYSICAL)
        return -EPERM;
    if (object->type == CAP_ASPACE && aspace_in_use((struct aspace *)object))
        return -EBUSY;
    /* Nobody can begin to wait for it, or to use it, while it is being ended. */
    if (object->type != CAP_TABLE && object->type != CAP_THREAD && !revoke_others(object, cap))
        return -EAGAIN;
    long result = end_object(caller, object);
    if (result)
        return result;
    if (!revoke_others(object, cap))
        return -EAGAIN;
    cap_clear(cap);
    give_back_place(object);
    return 0;
}
