/* SPDX-License-Identifier: MIT */
/* The pager's transfers as messages to the block server, and where pages of files are. */
#include <proto/blk_client.h>
#include <proto/blocks_client.h>
#include <proto/memsrv_client.h>
#include <proto/pager_start.h>
#include <quire/clock.h>

#include "server.h"

#define SETTLE_STEP_NS (NS_PER_SECOND / 1000)
#define SETTLE_MAX_NS  (5 * NS_PER_SECOND)

_Static_assert(TRANSFER_PAGES <= BLK_REQUEST_PAGES && TRANSFERS_MAX <= BLK_SESSION_REQUESTS, "as blk takes them");
_Static_assert(BLOCK_HOLE == BLOCKS_HOLE && BLOCK_SERVED == BLOCKS_SERVED &&
                   sizeof(struct block_run) == sizeof(struct blocks_run),
               "the same");

/* The error says that the block server is another one, or will be. */
static bool is_lost(int error)
{
    return error == -ECONNRESET || error == -EPIPE;
}

static int transfer(void *given, uint32_t tag, enum transfer_operation operation, uint64_t volume, uint64_t block,
                    const uint64_t *pfns, uint32_t count)
{
    static const uint64_t operations[] = {BLK_READ, BLK_WRITE, BLK_FLUSH};
    struct pager_context *context = given;
    struct {
        struct blk_transfer transfer;
        uint64_t frames[TRANSFER_PAGES];
    } request = {.transfer = {.tag = tag,
                              .operation = operations[operation],
                              .sector = block * BLK_PAGE_SECTORS,
                              .count = count * BLK_PAGE_SECTORS}};
    uint64_t accepted = 0;
    if (!context->disks)
        return -ENXIO;
    if (context->session == 0)
        return -EAGAIN;
    if (count > 0)
        memcpy(request.frames, pfns, count * sizeof(*pfns));
    int error = blk_submit(SLOT_BLK, context->session, volume, &request,
                           sizeof(request.transfer) + count * sizeof(*pfns), &accepted);
    if (is_lost(error)) {
        context->session = 0;
        context->disks_lost = true;
        return -EAGAIN;
    }
    return error < 0 ? error : accepted == 1 ? 0 : -EAGAIN;
}

/* A file server that has ended is started again: what it was asked is asked again then. */
static int as_transit_status(int error)
{
    return error == -EPIPE ? -EAGAIN : error;
}

static int map_blocks(void *context, uint64_t cookie, uint64_t index, uint64_t count, bool allocate, uint64_t *volume,
                      struct block_run *runs, uint32_t max, uint32_t *found)
{
    size_t number = 0;
    if (cookie & PAGER_COOKIE_VOLUME) {
        *volume = cookie & ~PAGER_COOKIE_VOLUME;
        runs[0] = (struct block_run){.block = index, .count = count};
        *found = 1;
        return 0;
    }
    int error =
        blocks_map(PAGER_SLOT_FILES, cookie, index, count, allocate, volume, (struct blocks_run *)runs, max, &number);
    *found = (uint32_t)number;
    return as_transit_status(error);
}

static int served_read(void *context, uint64_t cookie, uint64_t index, uint64_t pfn)
{
    uint64_t part[BLOCKS_PART_BYTES / sizeof(uint64_t)];
    int error = 0;
    for (uint64_t offset = 0; error == 0 && offset < PAGE_SIZE; offset += BLOCKS_PART_BYTES) {
        size_t count = 0;
        error = blocks_read(PAGER_SLOT_FILES, cookie, index * PAGE_SIZE + offset, part, sizeof(part), &count);
        if (error == 0)
            error = memsrv_transit_write(SLOT_MEMSRV, pfn, offset, part, count);
    }
    return as_transit_status(error);
}

static int served_write(void *context, uint64_t cookie, uint64_t index, uint64_t pfn)
{
    uint64_t part[BLOCKS_PART_BYTES / sizeof(uint64_t)];
    int error = 0;
    for (uint64_t offset = 0; error == 0 && offset < PAGE_SIZE; offset += BLOCKS_PART_BYTES) {
        size_t count = 0;
        error = memsrv_transit_read(SLOT_MEMSRV, pfn, offset, part, sizeof(part), &count);
        if (error == 0)
            error = blocks_write(PAGER_SLOT_FILES, cookie, index * PAGE_SIZE + offset, part, count);
    }
    return as_transit_status(error);
}

void backend_disk(struct backend *backend)
{
    backend->served_read = served_read;
    backend->served_write = served_write;
    backend->transfer = transfer;
    backend->map_blocks = map_blocks;
}

void disks_open(struct pager_context *context)
{
    if (!context->disks || context->session != 0)
        return;
    int error = blk_open(SLOT_BLK, EVENT_DISK, context->notification, &context->session);
    if (error < 0) {
        context->session = 0;
        return; /* the next tick tries again */
    }
    if (context->disks_lost) {
        context->disks_lost = false;
        pager_transfers_lost(&context->pager);
    }
}

void disks_collect(struct pager_context *context)
{
    struct blk_completion completions[TRANSFERS_MAX];
    size_t count = 0;
    if (context->session == 0)
        return;
    int error = blk_complete(SLOT_BLK, context->session, completions, TRANSFERS_MAX, &count);
    if (is_lost(error)) {
        context->session = 0;
        context->disks_lost = true;
        disks_open(context);
        return;
    }
    for (size_t i = 0; error == 0 && i < count; i++)
        pager_transferred(&context->pager, (uint32_t)completions[i].tag, (int)completions[i].status);
}

void disks_settle(struct pager_context *context)
{
    const uint64_t start = clock_now_ns();
    struct blk_counts counts;
    size_t number;
    uint64_t volume = 1;
    while (context->disks && clock_now_ns() - start < SETTLE_MAX_NS) {
        number = 0;
        if (blk_counts(SLOT_BLK, volume, &counts, 1, &number) < 0 || number == 0)
            return;
        if (counts.in_flight == 0)
            return;
        clock_sleep_until(clock_now_ns() + SETTLE_STEP_NS);
    }
}
