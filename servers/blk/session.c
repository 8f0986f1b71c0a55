/* SPDX-License-Identifier: MIT */
/* Sessions, and what is left of programs that have ended. */
#include "server.h"

#include <proto/memsrv_client.h>
#include <quire/slots.h>

static struct session *session_by_pid(struct blk_context *context, uint64_t pid)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (context->sessions[i].pid == pid)
            return &context->sessions[i];
    }
    return NULL;
}

/* The caller's session, if that is its number; NULL: it is no more. */
static struct session *session_of(struct blk_context *context, const struct message *request, uint64_t number)
{
    struct session *session = session_by_pid(context, caller_of(request));
    return session && number != 0 && session->number == number ? session : NULL;
}

static void free_ended(struct blk_context *context, struct session *session)
{
    struct list *link;

    while ((link = list_first(&session->ended))) {
        list_remove(link);
        request_free(context, CONTAINER_OF(link, struct request, link));
        session->count--;
    }
}

/* Makes a session without requests nobody's. */
static void session_free(struct session *session)
{
    slot_free(session->notification);
    *session = (struct session){0};
    list_init(&session->ended);
}

void sessions_tell(struct blk_context *context)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &context->sessions[i];
        if (!session->news)
            continue;
        session->news = false;
        /* Fails if the program has destroyed it, which is its own loss. */
        (void)!sys_signal(session->notification, session->bits);
    }
}

/* --- Programs that have ended ------------------------------------------------------------------------------------- */

static bool has_ended(uint64_t pid)
{
    uint64_t resident, tables, objects, areas;
    return memsrv_space_info(SLOT_MEMSRV, pid, &resident, &tables, &objects, &areas) == -ESRCH;
}

/* Nobody will collect what ends from now on. */
static void abandon(struct blk_context *context, struct session *session)
{
    session->number = 0;
    session->news = false;
    free_ended(context, session);
}

/* Frees a program's session, or what is left of it, and memory if no device uses that any more. */
static void settle(struct blk_context *context, uint64_t pid)
{
    struct session *session = session_by_pid(context, pid);

    if (session)
        abandon(context, session);
    if (requests_on_their_way(context, pid)) {
        context->settling = true;
        return;
    }
    if (session)
        session_free(session);
    (void)!memsrv_dma_settle(SLOT_DMA, pid);
}

void programs_settle(struct blk_context *context)
{
    uint64_t pid = 0;

    context->settling = false;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = &context->sessions[i];
        if (session->pid && (session->number == 0 || has_ended(session->pid)))
            settle(context, session->pid);
    }
    while (memsrv_dma_orphan(SLOT_DMA, pid, &pid) == 0)
        settle(context, pid);
}

/* --- Requests of the protocol ------------------------------------------------------------------------------------- */

/* Keeps the notification that came with a message; false: it is none. */
static bool keep_arrived(struct blk_context *context, uint64_t slot)
{
    const uint64_t fresh = slot_allocate();

    if ((sys_cap_query(slot, NULL) & 0xff) != CAP_NOTIFICATION || fresh == SLOT_NONE) {
        slot_free(fresh);
        return false;
    }
    context->arriving = fresh;
    ipc_buffer()->receive_slots[0] = fresh;
    return true;
}

int blk_handle_open(struct blk_context *context, const struct message *request, uint64_t bits, uint64_t notification,
                    uint64_t *session_number)
{
    const uint64_t pid = caller_of(request);
    struct session *session = session_by_pid(context, pid);

    if (bits == 0)
        return -EINVAL;
    if (session && requests_on_their_way(context, pid))
        return -EBUSY;
    if (!session)
        session = session_by_pid(context, 0);
    if (!session)
        return -ENOSPC;
    if (!keep_arrived(context, notification))
        return -EINVAL;
    free_ended(context, session);
    session_free(session);
    session->pid = pid;
    session->number = context->next_session++;
    session->notification = notification;
    session->bits = bits;
    *session_number = session->number;
    return 0;
}

int blk_handle_close(struct blk_context *context, const struct message *request, uint64_t number)
{
    struct session *session = session_of(context, request, number);

    if (!session)
        return -ECONNRESET;
    free_ended(context, session);
    if (session->count)
        return -EBUSY;
    session_free(session);
    return 0;
}

/* Reads the transfer at *place of a submit and moves *place behind it. EINVAL: the words are not there. */
static int next_transfer(const uint64_t *words, size_t count, size_t *place, const struct volume *volume,
                         struct blk_transfer *transfer, const uint64_t **frames)
{
    const size_t head = sizeof(*transfer) / sizeof(*words);

    if (count - *place < head)
        return -EINVAL;
    memcpy(transfer, words + *place, sizeof(*transfer));
    int error = transfer_check(volume, transfer);
    if (error)
        return error;
    const size_t pages = (transfer->count + BLK_PAGE_SECTORS - 1) / BLK_PAGE_SECTORS;
    *frames = words + *place + head;
    if (count - *place - head < pages || !frames_are_right(*frames, pages, transfer->count))
        return -EINVAL;
    *place += head + pages;
    return 0;
}

static int check_all(const uint64_t *words, size_t count, const struct volume *volume)
{
    struct blk_transfer transfer;
    const uint64_t *frames;
    int error = 0;

    for (size_t place = 0; place < count && !error;)
        error = next_transfer(words, count, &place, volume, &transfer, &frames);
    return error;
}

/* Takes transfers that were checked, as many as the session has room for; returns how many. */
static uint64_t take(struct blk_context *context, struct session *session, const struct volume *volume,
                     const uint64_t *words, size_t count)
{
    struct blk_transfer transfer;
    const uint64_t *frames;
    uint64_t taken = 0;

    for (size_t place = 0; place < count && session->count < BLK_SESSION_REQUESTS; taken++) {
        struct request *request = request_new(context);
        const int error = next_transfer(words, count, &place, volume, &transfer, &frames);
        ASSERT(request && !error); /* there are as many as sessions may have, and all were checked */
        if (!request || error)
            break;
        request_fill(request, volume, &transfer, frames);
        request->session = session;
        request->pid = session->pid;
        session->count++;
        disk_submit(context, volume->disk, request);
    }
    return taken;
}

int blk_handle_submit(struct blk_context *context, const struct message *request, uint64_t number, uint64_t volume_id,
                      const void *requests, size_t requests_bytes, uint64_t *accepted)
{
    struct session *session = session_of(context, request, number);
    const struct volume *volume = volume_find(context, volume_id);
    const size_t count = requests_bytes / sizeof(uint64_t);

    if (!session)
        return -ECONNRESET;
    if (!volume)
        return -ENODEV;
    int error = requests_bytes % sizeof(uint64_t) ? -EINVAL : check_all(requests, count, volume);
    if (error)
        return error;
    *accepted = take(context, session, volume, requests, count);
    disk_run(context, volume->disk);
    return count && *accepted == 0 ? -EAGAIN : 0;
}

int blk_handle_complete(struct blk_context *context, const struct message *request, uint64_t number,
                        struct blk_completion *completions, size_t completions_capacity, size_t *completions_count)
{
    struct session *session = session_of(context, request, number);
    struct list *link;

    if (!session)
        return -ECONNRESET;
    while (*completions_count < completions_capacity && (link = list_first(&session->ended))) {
        struct request *ended = CONTAINER_OF(link, struct request, link);
        completions[(*completions_count)++] = (struct blk_completion){.tag = ended->tag, .status = ended->status};
        list_remove(link);
        request_free(context, ended);
        session->count--;
    }
    return 0;
}
