/* SPDX-License-Identifier: MIT */
/* Requests whose callers wait, and what tests inject. */
#include "server.h"

/* Parks the caller of the request in hand until the transfer has ended. */
static int wait_for(struct blk_context *context, const struct message *request, uint64_t volume_id,
                    const struct blk_transfer *transfer, const void *frames, size_t frames_bytes)
{
    const struct volume *volume = volume_find(context, volume_id);

    if (!volume)
        return -ENODEV;
    const int error = transfer_check(volume, transfer);
    if (error)
        return error;
    if (frames_bytes % sizeof(uint64_t) || !frames_are_right(frames, frames_bytes / sizeof(uint64_t), transfer->count))
        return -EINVAL;
    if (context->spare_count == 0)
        return -EAGAIN;
    struct request *waiter = request_new(context);
    ASSERT(waiter); /* there is one for each reply object */
    if (!waiter)
        return -EAGAIN;
    request_fill(waiter, volume, transfer, frames);
    waiter->session = NULL;
    waiter->pid = caller_of(request);
    waiter->reply = context->reply;
    context->reply = context->spare_replies[--context->spare_count];
    disk_submit(context, volume->disk, waiter);
    disk_run(context, volume->disk);
    return PROTO_PARKED;
}

int blk_handle_read(struct blk_context *context, const struct message *request, uint64_t volume, uint64_t sector,
                    uint64_t count, const void *frames, size_t frames_bytes)
{
    const struct blk_transfer transfer = {.operation = BLK_READ, .sector = sector, .count = count};
    return wait_for(context, request, volume, &transfer, frames, frames_bytes);
}

int blk_handle_write(struct blk_context *context, const struct message *request, uint64_t volume, uint64_t sector,
                     uint64_t count, const void *frames, size_t frames_bytes)
{
    const struct blk_transfer transfer = {.operation = BLK_WRITE, .sector = sector, .count = count};
    return wait_for(context, request, volume, &transfer, frames, frames_bytes);
}

int blk_handle_flush(struct blk_context *context, const struct message *request, uint64_t volume)
{
    const struct blk_transfer transfer = {.operation = BLK_FLUSH};
    return wait_for(context, request, volume, &transfer, NULL, 0);
}

int blk_handle_inject(struct blk_context *context, const struct message *request, uint64_t volume_id, uint64_t fault,
                      uint64_t operations, uint64_t sector, uint64_t count)
{
    const struct volume *volume = volume_find(context, volume_id);

    if (!volume)
        return -ENODEV;
    if (fault > BLK_FAULT_LOSE || (operations & ~(1UL << BLK_READ | 1UL << BLK_WRITE | 1UL << BLK_FLUSH)))
        return -EINVAL;
    if (sector > volume->record.sectors || count > volume->record.sectors - sector)
        return -ENXIO;
    const uint64_t first = volume->record.first + sector;
    disk_inject(context, volume->disk,
                &(struct injection){.fault = fault, .operations = operations, .first = first, .end = first + count});
    return 0;
}
