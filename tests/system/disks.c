/* SPDX-License-Identifier: MIT */
/*
 * The block server: what it lists, what comes back of what was written, many requests at once, requests that make no
 * sense, faults, and its own end under load. Writes to the partition `scratch`; needs a second disk that is read-only.
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <string.h>
#include <unistd.h>

#include "disk_io.h"
#include "find_process.h"
#include "server_state.h"
#include "tap.h"

#define MEMORY_PAGES 256u
#define MANY         BLK_SESSION_REQUESTS
#define KILLS        3

static struct io io;

static int find(const char *name, struct blk_volume *volume)
{
    size_t found = 0;
    return blk_find(SLOT_BLK, name, strlen(name), volume, 1, &found);
}

static void test_volumes(void)
{
    struct blk_volume disk, root, swap, listed[8];
    uint64_t next = 0;
    size_t count = 0;

    tap_ok(find("vda", &disk) == 0 && !(disk.flags & BLK_PARTITION) && disk.first == 0 && disk.sectors == 256UL * 2048,
           "a disk");
    tap_ok(find("label=root", &root) == 0 && (root.flags & BLK_PARTITION) && strcmp(root.name, "vda1") == 0,
           "a partition by its label");
    tap_ok(find("type=0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", &swap) == 0 && strcmp(swap.label, "swap") == 0 &&
               swap.first >= root.first + root.sectors && swap.sectors == 64UL * 2048,
           "a partition by its type");
    tap_equal(find("label=no", &swap), -ENOENT, "none of that label");
    tap_ok(blk_list(SLOT_BLK, 0, &next, listed, 8, &count) == 0 && count == 8 && next == 0 &&
               strcmp(listed[4].name, "vdb") == 0,
           "all volumes of both disks");
    tap_ok(blk_list(SLOT_BLK, 1, &next, listed, 1, &count) == 0 && count == 1 && next == 2 &&
               memcmp(&listed[0], &root, sizeof(root)) == 0,
           "one at a time");
}

/* One transfer for each of many places, all at once. The number that were submitted, or a negative errno. */
static long submit_many(uint64_t operation, size_t first_page)
{
    struct batch batch = {0};
    uint64_t accepted, total = 0;

    for (size_t i = 0; i < MANY; i++) {
        const size_t place = i * 37 % MANY; /* in no order */
        if (!batch_add(&batch, &io, place, operation, 4096 + place * BLK_PAGE_SECTORS, 1, first_page + place))
            return -E2BIG;
    }
    const int error = io_submit(&io, &batch, &accepted);
    total += accepted;
    return error ? error : (long)total;
}

static bool all_are(const int *statuses, size_t count, int wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] != wanted)
            return false;
    }
    return true;
}

static bool many_hold(size_t first_page, uint64_t seed)
{
    for (size_t i = 0; i < MANY; i++) {
        if (!io_holds(&io, first_page + i, seed + i))
            return false;
    }
    return true;
}

static void test_many(void)
{
    int statuses[MANY];
    struct blk_counts counts;
    struct batch batch = {0};
    uint64_t accepted;
    size_t count = 0;

    for (size_t i = 0; i < MANY; i++)
        io_fill(&io, i, 1000 + i);
    tap_equal(submit_many(BLK_WRITE, 0), (long)MANY, "many writes at once");
    (void)batch_add(&batch, &io, 0, BLK_READ, 0, 1, 0);
    tap_equal(io_submit(&io, &batch, &accepted), -EAGAIN, "no room until some are collected");
    memset(statuses, 1, sizeof(statuses));
    tap_equal(io_collect_all(&io, MANY, statuses, MANY), 0, "all end");
    tap_ok(all_are(statuses, MANY, 0), "all are written");
    memset(statuses, 1, sizeof(statuses));
    tap_ok(submit_many(BLK_READ, 100) == (long)MANY && io_collect_all(&io, MANY, statuses, MANY) == 0 &&
               all_are(statuses, MANY, 0) && many_hold(100, 1000),
           "and read at once");
    tap_ok(blk_counts(SLOT_BLK, io.volume.id, &counts, 1, &count) == 0 && counts.most_in_flight >= MANY / 2 &&
               counts.in_flight == 0 && counts.writes > MANY && counts.errors == 0,
           "the device had many at once");
    tap_diag("%lu at once, %lu interrupts for %lu requests", (unsigned long)counts.most_in_flight,
             (unsigned long)counts.interrupts, (unsigned long)(counts.reads + counts.writes + counts.flushes));
}

static int submit_one(uint64_t volume, const struct blk_transfer *transfer, const uint64_t *frames, size_t count)
{
    uint64_t words[MSG_BUFFER_WORDS], accepted;
    const size_t head = sizeof(*transfer) / sizeof(uint64_t);

    memcpy(words, transfer, sizeof(*transfer));
    memcpy(words + head, frames, count * sizeof(*frames));
    return blk_submit(SLOT_BLK, io.session, volume, words, (head + count) * sizeof(uint64_t), &accepted);
}

static void test_nonsense(void)
{
    const uint64_t end = io.volume.sectors, id = io.volume.id;
    const uint64_t frames[] = {io.memory.pfn, io.memory.pfn + 1}, wild[] = {UINT64_MAX, 0};
    struct blk_volume disk, other;
    uint64_t accepted;
    const struct {
        const char *name;
        struct blk_transfer transfer;
        const uint64_t *frames;
        size_t count;
        int error;
    } cases[] = {
        {"past the end", {0, BLK_READ, end, 8}, frames, 1, -ENXIO},
        {"partly past the end", {0, BLK_WRITE, end - 8, 16}, frames, 2, -ENXIO},
        {"a sector that wraps", {0, BLK_READ, UINT64_MAX - 7, 16}, frames, 2, -ENXIO},
        {"no sectors", {0, BLK_READ, 0, 0}, frames, 0, -EINVAL},
        {"too many sectors", {0, BLK_READ, 0, UINT64_MAX}, frames, 2, -EINVAL},
        {"an unknown operation", {0, 7, 0, 8}, frames, 1, -EINVAL},
        {"a page too few", {0, BLK_READ, 0, 9}, frames, 1, -EINVAL},
        {"a page too many", {0, BLK_READ, 0, 8}, frames, 2, -EINVAL},
        {"pages that cannot be", {0, BLK_READ, 0, 8}, wild, 1, -EINVAL},
        {"a flush with sectors", {0, BLK_FLUSH, 0, 8}, frames, 1, -EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        tap_equal(submit_one(id, &cases[i].transfer, cases[i].frames, cases[i].count), cases[i].error, "%s",
                  cases[i].name);
    const struct blk_transfer good = {0, BLK_WRITE, 0, 8};
    tap_equal(submit_one(0, &good, frames, 1), -ENODEV, "no volume");
    tap_equal(submit_one(999, &good, frames, 1), -ENODEV, "no such volume");
    tap_equal(blk_submit(SLOT_BLK, io.session + 1, id, frames, 0, &accepted), -ECONNRESET, "no such session");
    tap_ok(find("vdb", &other) == 0 && (other.flags & BLK_READ_ONLY), "a disk that is read-only");
    tap_equal(submit_one(other.id, &good, frames, 1), -EROFS, "a write to it");
    tap_equal(blk_write(SLOT_BLK, other.id + 1, 0, 8, frames, 8), -EROFS, "a write to a part of it");
    tap_equal(blk_read(SLOT_BLK, other.id, 0, 8, frames, 8), 0, "a read of it");
    tap_ok(find("vda", &disk) == 0 && blk_read(SLOT_BLK, disk.id, disk.sectors - 8, 8, frames, 8) == 0 &&
               blk_read(SLOT_BLK, disk.id, disk.sectors - 7, 8, frames, 8) == -ENXIO,
           "the end of a disk");
    tap_equal(blk_read(SLOT_BLK, id, 0, 8, frames, 12), -EINVAL, "half a page frame number");
    tap_equal(blk_open(SLOT_BLK, 0, io.notification, &accepted), -EINVAL, "a session without a bit");
    tap_equal(blk_open(SLOT_BLK, 1, SLOT_MEMSRV, &accepted), -EINVAL, "a capability that is not the caller's to give");
}

static void test_faults(void)
{
    const uint64_t id = io.volume.id, writes = 1UL << BLK_WRITE;
    struct batch batch = {0};
    struct blk_completion completions[4];
    int statuses[4] = {1, 1, 1, 1};
    uint64_t accepted;

    tap_equal(blk_inject(SLOT_BLK, id, BLK_FAULT_ERROR, writes, 2000, 16), 0, "errors are injected");
    tap_equal(io_now(&io, BLK_WRITE, 2008, 1, 0), -EIO, "a write there fails");
    tap_equal(io_now(&io, BLK_WRITE, 1992, 2, 0), -EIO, "one that reaches there, too");
    tap_equal(io_now(&io, BLK_WRITE, 2016, 1, 0), 0, "one beside it does not");
    tap_equal(io_now(&io, BLK_READ, 2000, 2, 0), 0, "nor does a read");
    (void)batch_add(&batch, &io, 0, BLK_WRITE, 1000, 1, 0);
    (void)batch_add(&batch, &io, 1, BLK_WRITE, 2000, 1, 0);
    tap_ok(io_submit(&io, &batch, &accepted) == 0 && accepted == 2 && io_collect_all(&io, 2, statuses, 4) == 0 &&
               statuses[0] == 0 && statuses[1] == -EIO,
           "of two at once, one does");
    tap_equal(blk_inject(SLOT_BLK, id, BLK_FAULT_HOLD, writes, 0, io.volume.sectors), 0, "writes are held");
    tap_ok(io_submit(&io, &batch, &accepted) == 0 && io_collect(&io, completions, 4) == 0, "none ends");
    tap_equal(io_now(&io, BLK_READ, 1000, 1, 1), 0, "reads do");
    tap_equal(blk_open(SLOT_BLK, 1, io.notification, &accepted), -EBUSY, "no other session meanwhile");
    tap_equal(blk_close(SLOT_BLK, io.session), -EBUSY, "nor its end");
    tap_equal(blk_inject(SLOT_BLK, id, BLK_FAULT_NONE, 0, 0, 0), 0, "they go on");
    tap_ok(io_collect_all(&io, 2, statuses, 4) == 0 && statuses[0] == 0 && statuses[1] == 0, "and end well");
    tap_equal(blk_inject(SLOT_BLK, id, 9, 0, 0, 0), -EINVAL, "an unknown fault");
    tap_equal(blk_inject(SLOT_BLK, id, BLK_FAULT_NONE, 0, 0, UINT64_MAX), -ENXIO, "a range that cannot be");
}

/* Ends the server while it writes; then all is written again. */
static bool survives(uint64_t seed)
{
    int statuses[MANY];
    const uint64_t server = find_process("blk");
    int error;

    for (size_t i = 0; i < MANY; i++)
        io_fill(&io, i, seed + i);
    if (submit_many(BLK_WRITE, 0) != (long)MANY || root_kill(SLOT_ROOT, server) != 0)
        return false;
    error = io_collect_all(&io, MANY, statuses, MANY);
    tap_diag("what was underway: %d; the server was %lu and is %lu", error, (unsigned long)server,
             (unsigned long)find_process("blk"));
    if (error != -ECONNRESET && error != -EPIPE)
        return false;
    memset(statuses, 1, sizeof(statuses));
    return io_open_session(&io) == 0 && submit_many(BLK_WRITE, 0) == (long)MANY &&
           io_collect_all(&io, MANY, statuses, MANY) == 0 && all_are(statuses, MANY, 0) &&
           submit_many(BLK_READ, 100) == (long)MANY && io_collect_all(&io, MANY, statuses, MANY) == 0 &&
           all_are(statuses, MANY, 0) && many_hold(100, seed);
}

static void test_ends(void)
{
    struct memsrv_memory before, after;
    size_t count;

    tap_ok(survives(5000), "the server ends under load, and all goes on with the next");
    const int first = memsrv_memory_info(SLOT_MEMSRV, &before, 1, &count);
    for (int i = 0; i < KILLS; i++)
        tap_ok(survives(6000 + 1000 * (uint64_t)i), "and again");
    tap_ok(first == 0 && memsrv_memory_info(SLOT_MEMSRV, &after, 1, &count) == 0 && after.user <= before.user + 4,
           "no memory is kept of those that ended");
    tap_diag("pages of programs: %lu before, %lu after", (unsigned long)before.user, (unsigned long)after.user);
    tap_ok(memsrv_is_sound(), "memsrv finds nothing wrong");
}

static void test_memory(void)
{
    struct dma_memory memory;
    uint64_t id, pfn, pid;

    tap_ok(dma_memory_take(&memory, 3 * PAGE_SIZE + 1) == 0 && memory.bytes == 4 * PAGE_SIZE, "memory for devices");
    tap_equal(memsrv_object_memory_resize(SLOT_MEMSRV, memory.id, PAGE_SIZE), -EINVAL, "its size stays");
    tap_equal(memsrv_object_memory_discard(SLOT_MEMSRV, memory.id, 0, PAGE_SIZE), -EINVAL, "and its pages");
    tap_equal(memsrv_advise(SLOT_MEMSRV, (uint64_t)memory.address, PAGE_SIZE, MEMSRV_ADVICE_REMOVE), -EINVAL,
              "whoever asks");
    dma_memory_give(&memory);
    tap_equal(memsrv_memory_dma(SLOT_DMA, 0, 0, &id, &pfn), -EINVAL, "no memory at all");
    tap_equal(memsrv_memory_dma(SLOT_DMA, (4UL << 20) + 1, 0, &id, &pfn), -EINVAL, "too much");
    tap_equal(memsrv_memory_dma(SLOT_DMA, PAGE_SIZE, PAGE_SIZE, &id, &pfn), -ENOMEM, "a device that reaches nothing");
    tap_equal(memsrv_memory_dma(SLOT_MEMSRV, PAGE_SIZE, 0, &id, &pfn), -EPERM, "without the right");
    tap_equal(memsrv_dma_orphan(SLOT_DMA, 0, &pid), -ENOENT, "nobody has left any");
}

int main(void)
{
    tap_plan(1 + 6 + 9 + 6 + 21 + 15 + 9 + 3 + KILLS);
    if (!tap_ok(io_open(&io, "label=scratch", MEMORY_PAGES * PAGE_SIZE) == 0, "a session, memory, a volume"))
        return tap_done();
    test_volumes();
    io_test_contents(&io);
    test_many();
    test_nonsense();
    test_faults();
    test_memory();
    test_ends();
    return tap_done();
}
