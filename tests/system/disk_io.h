/* SPDX-License-Identifier: MIT */
/* What the tests of the block server share: a volume to write to, a session, memory for devices. */
#ifndef TESTS_DISK_IO_H
#define TESTS_DISK_IO_H

#include <proto/blk_client.h>
#include <quire/dma.h>
#include <stdbool.h>
#include <stddef.h>

/* After which whoever waits asks by itself; and without anything new gives up. */
#define IO_PATIENCE_NS 2000000000UL
#define IO_GIVE_UP_NS  (20 * IO_PATIENCE_NS)

/* A batch of transfers as submit wants them. */
struct batch {
    uint64_t words[MSG_BUFFER_WORDS];
    size_t count; /* words */
};

struct io {
    uint64_t session, notification;
    struct blk_volume volume;
    struct dma_memory memory;
};

/* Finds the volume, takes memory and opens a session. A negative errno. */
int io_open(struct io *io, const char *volume, size_t bytes);

/* Opens the session again, with a new block server perhaps. */
int io_open_session(struct io *io);

/* Adds a transfer of whole pages whose pages lie at `page` and behind it in the memory; false: no room. */
bool batch_add(struct batch *batch, const struct io *io, uint64_t tag, uint64_t operation, uint64_t sector,
               size_t pages, size_t page);

/* Submits; *accepted transfers were taken. */
int io_submit(const struct io *io, const struct batch *batch, uint64_t *accepted);

/* Waits until something has ended or time is up, then collects. What it gives is the number, or a negative errno. */
long io_collect(const struct io *io, struct blk_completion *completions, size_t capacity);

/* Collects `count` completions; statuses[tag] gets each one's. 0, or a negative errno: ETIMEDOUT, ECONNRESET. */
int io_collect_all(const struct io *io, size_t count, int *statuses, size_t tags);

/* One transfer that waits. */
int io_now(const struct io *io, uint64_t operation, uint64_t sector, size_t pages, size_t page);

/* Writes what page `page` of the memory shall hold for a seed; or tells whether it does. */
void io_fill(const struct io *io, size_t page, uint64_t seed);
bool io_holds(const struct io *io, size_t page, uint64_t seed);

/* Writes to a volume and reads back, in pages that lie in order and in pages that do not: nine rows of TAP. Pages 10 and 11 hold
 * the first page of what was written at sector 1024, and one sector of the second, when it returns. */
void io_test_contents(const struct io *io);

#endif
