/* SPDX-License-Identifier: MIT */
/*
 * What handles are ready for, and who is told when that changes. A watch names handles and not descriptions, so it keeps
 * nothing open.
 */
#include "server.h"

#include <quire/slots.h>

#define WATCHES_PER_PROCESS_MAX (FS_WATCHES_MAX / 4)

/* What is to be told of a pipe's end, whether asked for or not. */
static uint64_t pipe_events(const struct description *description)
{
    const struct pipe *pipe = description->pipe;

    if (description->flags & DESCRIPTION_READ)
        return (pipe_used(pipe) > 0 ? FS_READY_IN : 0) | (pipe->writers == 0 ? FS_READY_HANGUP : 0);
    return pipe->readers == 0 ? FS_READY_ERROR : pipe_room(pipe) >= PIPE_BUF_BYTES ? FS_READY_OUT : 0;
}

/* What is to be told of a program's handle; `client` may be NULL. */
static uint64_t events_of(const struct client *client, const struct fs_readiness *asked)
{
    const uint64_t always = FS_READY_ERROR | FS_READY_HANGUP | FS_READY_INVALID;

    if (!client || asked->number >= HANDLE_COUNT || !client->handles[asked->number].description)
        return FS_READY_INVALID;
    const struct description *description = client->handles[asked->number].description;
    const uint64_t events = description->pipe ? pipe_events(description) : (uint64_t)(FS_READY_IN | FS_READY_OUT);
    return events & (asked->events | always);
}

int fs_handle_poll(struct fs_context *context, const struct message *request, const struct fs_readiness *asked,
                   size_t asked_count, struct fs_readiness *ready, size_t ready_capacity, size_t *ready_count)
{
    const struct client *client = client_find(&context->table, request->badge & ~BADGE_PRIVILEGED);

    for (size_t i = 0; i < asked_count && *ready_count < ready_capacity; i++) {
        const uint64_t events = events_of(client, &asked[i]);
        if (events)
            ready[(*ready_count)++] = (struct fs_readiness){.number = asked[i].number, .events = events};
    }
    return 0;
}

static bool is_any_ready(const struct client *client, const struct fs_readiness *asked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (events_of(client, &asked[i]))
            return true;
    return false;
}

static void watch_remove(struct fs_context *context, struct watch *watch)
{
    slot_free(watch->notification);
    *watch = context->watches[--context->watch_count];
}

static struct watch *watch_of(struct fs_context *context, uint64_t pid, uint64_t thread)
{
    for (size_t i = 0; i < context->watch_count; i++)
        if (context->watches[i].pid == pid && context->watches[i].thread == thread)
            return &context->watches[i];
    return NULL;
}

static bool is_room(const struct fs_context *context, uint64_t pid)
{
    size_t own = 0;

    for (size_t i = 0; i < context->watch_count; i++)
        own += context->watches[i].pid == pid;
    return context->watch_count < FS_WATCHES_MAX && own < WATCHES_PER_PROCESS_MAX;
}

/* Keeps the notification that has just arrived. SLOT_NONE: another could not arrive then. */
static uint64_t keep_arrival(struct fs_context *context)
{
    const uint64_t fresh = slot_allocate();
    const uint64_t kept = context->arrival;

    if (fresh == SLOT_NONE)
        return SLOT_NONE;
    context->arrival = fresh;
    return kept;
}

int fs_handle_watch(struct fs_context *context, const struct message *request, uint64_t thread,
                    const struct fs_readiness *asked, size_t asked_count, uint64_t notification, uint64_t *ready)
{
    const uint64_t pid = request->badge & ~BADGE_PRIVILEGED;
    struct watch *last = watch_of(context, pid, thread);

    if (last)
        watch_remove(context, last);
    if (asked_count == 0 || asked_count > FS_WATCH_HANDLES)
        return -EINVAL;
    *ready = is_any_ready(client_find(&context->table, pid), asked, asked_count);
    if (*ready) {
        (void)!sys_cap_delete(SLOT_TABLE, notification);
        return 0;
    }
    const uint64_t kept = is_room(context, pid) ? keep_arrival(context) : SLOT_NONE;
    if (kept == SLOT_NONE)
        return -EBUSY;
    struct watch *watch = &context->watches[context->watch_count++];
    *watch = (struct watch){.pid = pid, .thread = thread, .notification = kept, .count = asked_count};
    memcpy(watch->asked, asked, asked_count * sizeof(*asked));
    return 0;
}

int fs_handle_watch_end(struct fs_context *context, const struct message *request, uint64_t thread)
{
    struct watch *watch = watch_of(context, request->badge & ~BADGE_PRIVILEGED, thread);

    if (watch)
        watch_remove(context, watch);
    return 0;
}

void watches_run(struct fs_context *context)
{
    for (size_t i = context->watch_count; i > 0; i--) {
        struct watch *watch = &context->watches[i - 1];
        if (!is_any_ready(client_find(&context->table, watch->pid), watch->asked, watch->count))
            continue;
        (void)!sys_signal(watch->notification, 1);
        watch_remove(context, watch);
    }
}

void watches_forget(struct fs_context *context, uint64_t pid)
{
    for (size_t i = context->watch_count; i > 0; i--)
        if (context->watches[i - 1].pid == pid)
            watch_remove(context, &context->watches[i - 1]);
}
