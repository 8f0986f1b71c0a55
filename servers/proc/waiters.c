/* SPDX-License-Identifier: MIT */
/* Callers that wait for news of a child. */
#include "waiters.h"

#include <errno.h>
#include <proto/root_dispatch.h>

#include "objects.h"
#include "slots.h"

struct waiter {
    uint64_t reply; /* slot; SLOT_NONE: the entry is free */
    uint64_t thread;
    struct wait_request wait;
};

/* One reply object always receives, all others can hold a waiter. */
static struct waiter waiters[REPLY_COUNT - 1];
#define WAITER_COUNT (sizeof(waiters) / sizeof(waiters[0]))

static unsigned waiter_count;

/* Gives up an entry whose reply object holds nobody. */
static void release(struct waiter *waiter)
{
    reply_give_back(waiter->reply);
    waiter->reply = SLOT_NONE;
    waiter_count--;
}

/* Ends a wait. False: nobody hears the answer, for the thread was stopped or ended meanwhile. */
static bool answer(struct waiter *waiter, int result, uint64_t pid, uint64_t cause, uint64_t value)
{
    struct message m;

    root_reply_wait(&m, result, pid, cause, value);
    const bool heard = sys_reply(waiter->reply, &m) == 0;
    if (!heard)
        reply_renew(waiter->reply);
    release(waiter);
    return heard;
}

/* A thread that waits anew has left its last wait. */
static void forget_last(uint64_t caller, uint64_t thread)
{
    unsigned left = waiter_count;

    for (struct waiter *waiter = waiters; left > 0; waiter++) {
        if (waiter->reply == SLOT_NONE)
            continue;
        left--;
        if (waiter->wait.caller == caller && waiter->thread == thread)
            (void)answer(waiter, -EINTR, 0, 0, 0);
    }
}

int waiter_park(uint64_t *reply, const struct wait_request *wait, uint64_t thread)
{
    struct waiter *place = NULL;
    unsigned waiting = 0, left;

    forget_last(wait->caller, thread);
    left = waiter_count;
    /* The first free place is taken, so those in use are not far apart. */
    for (size_t i = 0; i < WAITER_COUNT && (left > 0 || !place); i++) {
        if (waiters[i].reply == SLOT_NONE) {
            if (!place)
                place = &waiters[i];
            continue;
        }
        left--;
        waiting += waiters[i].wait.caller == wait->caller;
    }
    if (!place || waiting >= WAITERS_PER_PROCESS_MAX)
        return -EAGAIN;
    uint64_t fresh = reply_take();
    if (fresh == SLOT_NONE)
        return -EAGAIN;
    *place = (struct waiter){.reply = *reply, .thread = thread, .wait = *wait};
    waiter_count++;
    *reply = fresh;
    return 0;
}

void waiters_disappoint(uint64_t parent)
{
    unsigned left = waiter_count;

    for (struct waiter *waiter = waiters; left > 0; waiter++) {
        if (waiter->reply == SLOT_NONE)
            continue;
        left--;
        if (waiter->wait.caller == parent && !wait_has_child(&waiter->wait))
            (void)answer(waiter, -ECHILD, 0, 0, 0);
    }
}

void waiters_tell(struct process *child)
{
    const uint64_t parent = child->parent;
    unsigned left = waiter_count;

    for (struct waiter *waiter = waiters; left > 0; waiter++) {
        if (waiter->reply == SLOT_NONE)
            continue;
        left--;
        if (!wait_concerns(&waiter->wait, child) || !wait_is_answered(&waiter->wait, child))
            continue;
        const struct wait_request wait = waiter->wait;
        if (!answer(waiter, 0, child->pid, child->cause, (uint64_t)child->value))
            continue;
        const bool ended = child->state == PROCESS_ENDED;
        wait_take_news(&wait, child);
        if (ended)
            waiters_disappoint(parent);
        return;
    }
}

void waiters_forget(uint64_t caller)
{
    unsigned left = waiter_count;

    for (struct waiter *waiter = waiters; left > 0; waiter++) {
        if (waiter->reply == SLOT_NONE)
            continue;
        left--;
        if (waiter->wait.caller == caller)
            (void)answer(waiter, -EINTR, 0, 0, 0);
    }
}
