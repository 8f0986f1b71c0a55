/* SPDX-License-Identifier: MIT */
/* Notifications: a word of bits that any number of senders set and one waiter takes. */
#include <errno.h>

#include "kernel.h"

void notification_signal(struct notification *notification, uint64_t bits)
{
    struct thread *waiter = notification->waiters.head;

    notification->bits |= bits;
    if (!notification->bits)
        return;
    if (waiter) {
        ipc_cancel(waiter, 0);
        context_set_second(&waiter->context, notification->bits);
        notification->bits = 0;
        sched_wake(waiter);
    } else if (notification->bound && ipc_notify(notification->bound, notification->bits)) {
        notification->bits = 0;
    }
}

struct thread *notification_wait(struct thread *thread)
{
    struct context *context = &thread->context;
    uint64_t slot = context_argument(context, 0);
    uint64_t deadline = context_argument(context, 1);
    struct notification *notification = NULL;
    long error = 0;

    if (slot) {
        notification = (struct notification *)cap_find(thread->table, slot, CAP_NOTIFICATION, RIGHT_RECEIVE, &error);
        if (error) {
            context_set_result(context, error);
            return thread;
        }
        if (notification->bits) {
            context_set_result(context, 0);
            context_set_second(context, notification->bits);
            notification->bits = 0;
            return thread;
        }
    }
    context_set_second(context, 0);
    if (deadline == DEADLINE_POLL) {
        context_set_result(context, -EAGAIN);
        return thread;
    }
    thread->state = THREAD_STATE_WAITING;
    thread->waiting_on = notification;
    if (notification)
        wait_queue_insert(&notification->waiters, thread);
    if (deadline != DEADLINE_NEVER)
        sched_sleep(thread, deadline);
    return sched_next(NULL);
}

long notification_bind(struct thread *caller)
{
    long error = 0;
    uint64_t endpoint_slot = context_argument(&caller->context, 1);
    struct endpoint *endpoint = NULL;
    struct notification *notification = (struct notification *)cap_find(
        caller->table, context_argument(&caller->context, 0), CAP_NOTIFICATION, RIGHT_RECEIVE, &error);

    if (error)
        return error;
    if (endpoint_slot) {
        endpoint = (struct endpoint *)cap_find(caller->table, endpoint_slot, CAP_ENDPOINT, RIGHT_RECEIVE, &error);
        if (error)
            return error;
        if (endpoint->bound && endpoint->bound != notification)
            return -EBUSY;
    }
    if (notification->bound)
        notification->bound->bound = NULL;
    notification->bound = endpoint;
    if (endpoint) {
        endpoint->bound = notification;
        if (notification->bits && ipc_notify(endpoint, notification->bits))
            notification->bits = 0;
    }
    return 0;
}
