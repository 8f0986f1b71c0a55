/* SPDX-License-Identifier: MIT */
/* Requests: what is asked for, from its check to its end. */
#include "server.h"

/* Physical addresses have 52 bits at most. */
#define FRAME_END (1UL << (52 - PAGE_SHIFT))

struct request *request_new(struct blk_context *context)
{
    struct list *link = list_first(&context->free_requests);

    if (!link)
        return NULL;
    list_remove(link);
    return CONTAINER_OF(link, struct request, link);
}

void request_free(struct blk_context *context, struct request *request)
{
    request->pid = 0;
    request->on_its_way = false;
    list_push_front(&context->free_requests, &request->link);
}

bool requests_on_their_way(const struct blk_context *context, uint64_t pid)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (context->requests[i].on_its_way && context->requests[i].pid == pid)
            return true;
    }
    return false;
}

static uint64_t pages_for(uint64_t sectors)
{
    return (sectors + BLK_PAGE_SECTORS - 1) / BLK_PAGE_SECTORS;
}

bool frames_are_right(const uint64_t *frames, size_t count, uint64_t sectors)
{
    if (count != pages_for(sectors))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (frames[i] >= FRAME_END)
            return false;
    }
    return true;
}

int transfer_check(const struct volume *volume, const struct blk_transfer *transfer)
{
    const struct blk_volume *record = &volume->record;
    const uint64_t block_sectors = record->block / SECTOR_BYTES;

    if (transfer->operation == BLK_FLUSH)
        return transfer->sector || transfer->count ? -EINVAL : 0;
    if (transfer->operation != BLK_READ && transfer->operation != BLK_WRITE)
        return -EINVAL;
    if (transfer->count == 0 || transfer->count > BLK_REQUEST_PAGES * BLK_PAGE_SECTORS)
        return -EINVAL;
    if (transfer->sector >= record->sectors || transfer->count > record->sectors - transfer->sector)
        return -ENXIO;
    if (transfer->sector % block_sectors || transfer->count % block_sectors)
        return -EINVAL;
    return transfer->operation == BLK_WRITE && (record->flags & BLK_READ_ONLY) ? -EROFS : 0;
}

void request_fill(struct request *request, const struct volume *volume, const struct blk_transfer *transfer,
                  const uint64_t *frames)
{
    request->tag = transfer->tag;
    request->operation = transfer->operation;
    request->sector = volume->record.first + transfer->sector;
    request->count = transfer->count;
    request->status = 0;
    request->on_its_way = true;
    memcpy(request->frames, frames, pages_for(transfer->count) * sizeof(*frames));
}

/* Answers the caller that waits for it, who may be gone. */
static void answer(struct blk_context *context, const struct request *request)
{
    struct message message = {0};

    /* The answers to read, write and flush are alike. */
    blk_reply_flush(&message, request->status);
    (void)!sys_reply(request->reply, &message);
    context->spare_replies[context->spare_count++] = request->reply;
}

void request_end(struct blk_context *context, struct request *request, int status)
{
    struct session *session = request->session;

    request->status = status;
    request->on_its_way = false;
    if (!session) {
        answer(context, request);
        request_free(context, request);
    } else if (session->number == 0) {
        session->count--; /* nobody will collect it; programs_settle() looks at the session */
        request_free(context, request);
    } else {
        list_push_back(&session->ended, &request->link);
        session->news = true;
    }
}
