/* SPDX-License-Identifier: MIT */
/* Callers that wait for a process to end. */
#include "waiters.h"

#include <errno.h>
#include <proto/root_dispatch.h>
#include <stddef.h>

#include "objects.h"
#include "slots.h"

struct waiter {
    uint64_t reply; /* slot; SLOT_NONE: the entry is free */
    uint64_t caller, target;
};

/* One reply object always receives, all others can hold a waiter. */
static struct waiter waiters[REPLY_COUNT - 1];
#define WAITER_COUNT (sizeof(waiters) / sizeof(waiters[0]))

int waiter_park(uint64_t *reply, uint64_t caller, uint64_t target)
{
    struct waiter *place = NULL;
    unsigned waiting = 0;

    for (size_t i = 0; i < WAITER_COUNT; i++) {
        if (waiters[i].reply == SLOT_NONE)
            place = &waiters[i];
        else
            waiting += waiters[i].caller == caller;
    }
    if (!place || waiting >= WAITERS_PER_PROCESS_MAX)
        return -EAGAIN;
    uint64_t fresh = reply_take();
    if (fresh == SLOT_NONE)
        return -EAGAIN;
    *place = (struct waiter){.reply = *reply, .caller = caller, .target = target};
    *reply = fresh;
    return 0;
}

/* Ends a wait. The waiting thread can have been stopped or ended meanwhile; then nobody hears the answer. */
static void answer(struct waiter *waiter, int result, uint64_t pid, uint64_t status)
{
    struct message m;

    root_reply_wait(&m, result, pid, status);
    if (sys_reply(waiter->reply, &m) < 0)
        reply_renew(waiter->reply);
    reply_give_back(waiter->reply);
    waiter->reply = SLOT_NONE;
}

bool waiters_tell(uint64_t parent, uint64_t pid, uint64_t status, bool last)
{
    bool told = false;

    for (size_t i = 0; i < WAITER_COUNT; i++) {
        struct waiter *waiter = &waiters[i];
        if (waiter->reply == SLOT_NONE || waiter->caller != parent)
            continue;
        if (waiter->target != pid && waiter->target != ANY_CHILD)
            continue;
        if (!told)
            answer(waiter, 0, pid, status);
        else if (waiter->target == pid || last)
            answer(waiter, -ECHILD, 0, 0);
        told = true;
    }
    return told;
}

void waiters_forget(uint64_t caller)
{
    for (size_t i = 0; i < WAITER_COUNT; i++)
        if (waiters[i].reply != SLOT_NONE && waiters[i].caller == caller)
            answer(&waiters[i], -EINTR, 0, 0);
}
