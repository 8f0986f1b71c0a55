/* SPDX-License-Identifier: MIT */
#include "disk_io.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <string.h>

#include "tap.h"

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint64_t))

int io_open_session(struct io *io)
{
    return blk_open(SLOT_BLK, 1, io->notification, &io->session);
}

int io_open(struct io *io, const char *volume, size_t bytes)
{
    uint64_t identifier;
    size_t found = 0;

    *io = (struct io){.notification = slot_allocate()};
    int error = blk_find(SLOT_BLK, volume, strlen(volume), &io->volume, 1, &found);
    if (error == 0)
        error = dma_memory_take(&io->memory, bytes);
    if (error == 0)
        error = memsrv_object_create(SLOT_MEMSRV, CAP_NOTIFICATION, &identifier, io->notification);
    return error ? error : io_open_session(io);
}

bool batch_add(struct batch *batch, const struct io *io, uint64_t tag, uint64_t operation, uint64_t sector,
               size_t pages, size_t page)
{
    const struct blk_transfer transfer = {
        .tag = tag, .operation = operation, .sector = sector, .count = pages * BLK_PAGE_SECTORS};
    const size_t head = sizeof(transfer) / sizeof(uint64_t);

    if (batch->count + head + pages > MSG_BUFFER_WORDS)
        return false;
    memcpy(batch->words + batch->count, &transfer, sizeof(transfer));
    for (size_t i = 0; i < pages; i++)
        batch->words[batch->count + head + i] = io->memory.pfn + page + i;
    batch->count += head + pages;
    return true;
}

int io_submit(const struct io *io, const struct batch *batch, uint64_t *accepted)
{
    return blk_submit(SLOT_BLK, io->session, io->volume.id, batch->words, batch->count * sizeof(uint64_t), accepted);
}

long io_collect(const struct io *io, struct blk_completion *completions, size_t capacity)
{
    uint64_t bits;
    size_t found = 0;

    /* A server that is new cannot signal: so whoever waits asks after a time. */
    (void)!sys_wait(io->notification, clock_now_ns() + IO_PATIENCE_NS, &bits);
    const int error = blk_complete(SLOT_BLK, io->session, completions, capacity, &found);
    return error ? error : (long)found;
}

int io_collect_all(const struct io *io, size_t count, int *statuses, size_t tags)
{
    struct blk_completion completions[16];
    uint64_t deadline = clock_now_ns() + IO_GIVE_UP_NS;

    while (count > 0) {
        const long found = io_collect(io, completions, 16);
        if (found < 0)
            return (int)found;
        /* The signal may be that of something that was collected already. */
        if (found == 0 && clock_now_ns() >= deadline)
            return -ETIMEDOUT;
        if (found > 0)
            deadline = clock_now_ns() + IO_GIVE_UP_NS;
        /* More may have ended than there is room for, and nobody signals again: so ask at once. */
        size_t more = (size_t)found;
        do {
            for (size_t i = 0; i < more; i++) {
                if (completions[i].tag < tags)
                    statuses[completions[i].tag] = (int)completions[i].status;
            }
            count -= more;
        } while (count > 0 && blk_complete(SLOT_BLK, io->session, completions, 16, &more) == 0 && more > 0);
    }
    return 0;
}

int io_now(const struct io *io, uint64_t operation, uint64_t sector, size_t pages, size_t page)
{
    uint64_t frames[BLK_REQUEST_PAGES];

    for (size_t i = 0; i < pages; i++)
        frames[i] = io->memory.pfn + page + i;
    if (operation == BLK_READ)
        return blk_read(SLOT_BLK, io->volume.id, sector, pages * BLK_PAGE_SECTORS, frames, pages * sizeof(*frames));
    return blk_write(SLOT_BLK, io->volume.id, sector, pages * BLK_PAGE_SECTORS, frames, pages * sizeof(*frames));
}

static uint64_t word_of(uint64_t seed, size_t place)
{
    return (seed * PAGE_WORDS + place + 1) * 0x9e3779b97f4a7c15UL;
}

void io_fill(const struct io *io, size_t page, uint64_t seed)
{
    uint64_t *words = (uint64_t *)((char *)io->memory.address + page * PAGE_SIZE);

    for (size_t i = 0; i < PAGE_WORDS; i++)
        words[i] = word_of(seed, i);
}

bool io_holds(const struct io *io, size_t page, uint64_t seed)
{
    const uint64_t *words = (const uint64_t *)((const char *)io->memory.address + page * PAGE_SIZE);

    for (size_t i = 0; i < PAGE_WORDS; i++) {
        if (words[i] != word_of(seed, i))
            return false;
    }
    return true;
}

void io_test_contents(const struct io *io)
{
    bool good = true;

    for (size_t i = 0; i < BLK_REQUEST_PAGES; i++)
        io_fill(io, i, 100 + i);
    tap_equal(io_now(io, BLK_WRITE, 8, 1, 3), 0, "a page is written");
    tap_equal(io_now(io, BLK_READ, 8, 1, 200), 0, "and read");
    tap_ok(io_holds(io, 200, 103), "it is the same");
    tap_equal(io_now(io, BLK_WRITE, 1024, BLK_REQUEST_PAGES, 0), 0, "as many pages as a request has");
    tap_equal(blk_flush(SLOT_BLK, io->volume.id), 0, "flushed");
    /* Backwards, so that no two pages can be one segment. */
    uint64_t frames[BLK_REQUEST_PAGES];
    for (size_t i = 0; i < BLK_REQUEST_PAGES; i++)
        frames[i] = io->memory.pfn + 255 - i;
    tap_equal(blk_read(SLOT_BLK, io->volume.id, 1024, BLK_REQUEST_PAGES * BLK_PAGE_SECTORS, frames, sizeof(frames)), 0,
              "read into pages that lie anywhere");
    for (size_t i = 0; i < BLK_REQUEST_PAGES; i++)
        good = good && io_holds(io, 255 - i, 100 + i);
    tap_ok(good, "they are the same");
    io_fill(io, 10, 1);
    memset((char *)io->memory.address + 11 * PAGE_SIZE, 0x5a, PAGE_SIZE);
    frames[0] = io->memory.pfn + 10;
    frames[1] = io->memory.pfn + 11;
    tap_equal(blk_read(SLOT_BLK, io->volume.id, 1024, 9, frames, 16), 0, "a page and a sector");
    tap_ok(io_holds(io, 10, 100) && ((char *)io->memory.address)[11 * PAGE_SIZE + BLK_SECTOR_BYTES] == 0x5a,
           "not more than was asked for");
}
