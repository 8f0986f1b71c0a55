/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait for a pipe. What a writer wants to write stays with the writer: when there is room it is told to
 * ask again, so waiting takes no memory here.
 */
#include "server.h"

#include <proto/memsrv_client.h>
#include <quire/slots.h>

/* A reply object that is not in use, one more if need be; SLOT_NONE if there is none. */
static uint64_t reply_take(struct fs_context *context)
{
    uint64_t identifier;

    if (context->spare_count > 0)
        return context->spare_replies[--context->spare_count];
    if (context->reply_count == WAITERS_MAX)
        return SLOT_NONE;
    const uint64_t slot = slot_allocate();
    if (slot == SLOT_NONE || memsrv_object_create(SLOT_MEMSRV, CAP_REPLY, &identifier, slot) < 0) {
        slot_free(slot);
        return SLOT_NONE;
    }
    context->reply_count++;
    return slot;
}

int waiter_park(struct fs_context *context, const struct message *request, struct description *description,
                size_t bytes)
{
    const uint64_t pid = request->badge & ~BADGE_PRIVILEGED;
    unsigned waiting = 0;

    for (size_t i = 0; i < context->waiter_count; i++)
        waiting += context->waiters[i].pid == pid;
    if (waiting >= WAITERS_PER_PROCESS_MAX || context->waiter_count == WAITERS_MAX)
        return -EBUSY;
    const uint64_t fresh = reply_take(context);
    if (fresh == SLOT_NONE)
        return -EBUSY;
    description->references++;
    context->waiters[context->waiter_count++] =
        (struct waiter){.reply = context->reply, .pid = pid, .description = description, .bytes = bytes};
    context->reply = fresh;
    return PROTO_PARKED;
}

/* Ends the wait number `index`. */
static void waiter_remove(struct fs_context *context, size_t index)
{
    struct description *description = context->waiters[index].description;

    context->spare_replies[context->spare_count++] = context->waiters[index].reply;
    context->waiter_count--;
    memmove(context->waiters + index, context->waiters + index + 1,
            (context->waiter_count - index) * sizeof(context->waiters[0]));
    description_put(&context->table, description);
}

static bool is_reader(const struct waiter *waiter)
{
    return (waiter->description->flags & DESCRIPTION_READ) != 0;
}

static bool is_ready(const struct waiter *waiter)
{
    const struct pipe *pipe = waiter->description->pipe;

    if (is_reader(waiter))
        return pipe_used(pipe) > 0 || pipe->writers == 0;
    return pipe_room(pipe) >= waiter->bytes || pipe->readers == 0;
}

/* Whoever waited may have ended meanwhile; then what it would have read is the next one's. */
static void answer(struct fs_context *context, const struct waiter *waiter)
{
    struct pipe *pipe = waiter->description->pipe;
    struct message message = {0};
    char data[PROTO_DATA_MAX];

    if (!is_reader(waiter)) {
        fs_reply_write(&message, pipe->readers == 0 ? -EPIPE : 0, 0);
        (void)!sys_reply(waiter->reply, &message);
        return;
    }
    const size_t bytes = pipe_peek(pipe, data, waiter->bytes);
    fs_reply_read(&message, 0, data, bytes);
    if (sys_reply(waiter->reply, &message) == 0 && bytes > 0) {
        pipe_drop(pipe, bytes);
        context->table.pipes_changed = true;
    }
}

void waiters_run(struct fs_context *context)
{
    while (context->table.pipes_changed) {
        context->table.pipes_changed = false;
        for (size_t index = 0; index < context->waiter_count;) {
            if (!is_ready(&context->waiters[index])) {
                index++;
                continue;
            }
            answer(context, &context->waiters[index]);
            waiter_remove(context, index);
        }
        watches_run(context);
    }
}

void waiters_forget(struct fs_context *context, uint64_t pid)
{
    for (size_t index = 0; index < context->waiter_count;) {
        struct message message = {0};
        if (context->waiters[index].pid != pid) {
            index++;
            continue;
        }
        /* Usually nobody is left who could hear it; what counts is that the reply object holds nobody. */
        fs_reply_write(&message, -EINTR, 0);
        (void)!sys_reply(context->waiters[index].reply, &message);
        waiter_remove(context, index);
    }
}
