/* SPDX-License-Identifier: MIT */
/*
 * The system calls but for IPC, by number. A handler takes its arguments from the caller's saved registers and returns
 * the result; it neither blocks nor switches threads. The caller may find itself stopped afterwards (a thread can stop
 * itself), or somebody more important awake.
 */
#include <errno.h>

#include "kernel.h"

typedef long syscall_handler(struct thread *caller);

static long getcpu(struct thread *caller)
{
    (void)caller;
    return this_cpu()->index;
}

static long signal_call(struct thread *caller)
{
    long error = 0;
    struct object *object =
        cap_find(caller->table, context_argument(&caller->context, 0), CAP_NOTIFICATION, RIGHT_SEND, &error);
    if (!error)
        notification_signal((struct notification *)object, context_argument(&caller->context, 1));
    return error;
}

static long cap_copy_call(struct thread *caller)
{
    const struct context *context = &caller->context;
    long error = 0;
    const struct cap_table *table =
        (struct cap_table *)cap_find(caller->table, context_argument(context, 0), CAP_TABLE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    struct cap *to = cap_slot(table, context_argument(context, 1));
    const struct cap *from = cap_slot(caller->table, context_argument(context, 2));
    if (!to || !from)
        return -EBADF;
    return cap_copy(to, from, (uint32_t)context_argument(context, 3), context_argument(context, 4));
}

static long cap_delete_call(struct thread *caller)
{
    long error = 0;
    const struct cap_table *table = (struct cap_table *)cap_find(caller->table, context_argument(&caller->context, 0),
                                                                 CAP_TABLE, RIGHT_CONTROL, &error);
    if (error)
        return error;
    struct cap *cap = cap_slot(table, context_argument(&caller->context, 1));
    if (!cap)
        return -EBADF;
    cap_clear(cap);
    return 0;
}

static long cap_query_call(struct thread *caller)
{
    const struct cap *cap = cap_slot(caller->table, context_argument(&caller->context, 0));
    if (!cap)
        return -EBADF;
    context_set_second(&caller->context, cap->badge);
    return (long)cap_type(cap) | (long)cap_rights(cap) << 8;
}

static syscall_handler *const handlers[SYS_COUNT] = {
    [SYS_GETCPU] = getcpu,
    [SYS_SIGNAL] = signal_call,
    [SYS_CAP_COPY] = cap_copy_call,
    [SYS_CAP_DELETE] = cap_delete_call,
    [SYS_CAP_QUERY] = cap_query_call,
    [SYS_THREAD_CONTROL] = thread_control,
    [SYS_OBJECT_CREATE] = object_create,
    [SYS_OBJECT_DESTROY] = object_destroy,
    [SYS_MAP] = aspace_map,
    [SYS_UNMAP] = aspace_unmap,
    [SYS_PROTECT] = aspace_protect,
    [SYS_HARVEST] = aspace_harvest,
    [SYS_ASPACE_CONTROL] = aspace_control,
    [SYS_IRQ_ACK] = irq_acknowledge,
    [SYS_SYSTEM] = system_control,
    [SYS_NOTIFICATION_BIND] = notification_bind,
    [SYS_IRQ_BIND] = irq_bind,
    [SYS_SHARE] = aspace_share,
    [SYS_IRQ_MESSAGE] = irq_tell_message,
};

struct thread *syscall(struct thread *caller, uint32_t number)
{
    switch (number) {
    case SYS_CALL:
        return ipc_call(caller);
    case SYS_REPLY_RECV:
        return ipc_reply_recv(caller);
    case SYS_RECV:
        return ipc_recv(caller);
    case SYS_REPLY:
        return ipc_reply(caller);
    case SYS_WAIT:
        return notification_wait(caller);
    case SYS_YIELD:
        context_set_result(&caller->context, 0);
        return sched_yield(caller);
    default:
        break;
    }
    syscall_handler *handler = number < SYS_COUNT ? handlers[number] : NULL;
    context_set_result(&caller->context, handler ? handler(caller) : -ENOSYS);
    return caller->state == THREAD_STATE_RUNNABLE ? sched_resume(caller) : sched_next(NULL);
}
