/* SPDX-License-Identifier: MIT */
/*
 * An SD card, as `./quire image` makes it: its volumes, what comes back of what was written, many requests at once, pages
 * that are no memory for devices, and the server's end under load. Writes to the partition for swap, which nobody uses.
 * Its argument is the card's size in MiB.
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <stdlib.h>
#include <string.h>

#include "disk_io.h"
#include "find_process.h"
#include "server_state.h"
#include "tap.h"

#define MEMORY_PAGES 256u
#define MANY         BLK_SESSION_REQUESTS
#define KILLS        3
#define EXT2_MAGIC   0xef53u

static struct io io;

static int find(const char *name, struct blk_volume *volume)
{
    size_t found = 0;
    return blk_find(SLOT_BLK, name, strlen(name), volume, 1, &found);
}

static const uint8_t *page(size_t number)
{
    return (const uint8_t *)io.memory.address + number * PAGE_SIZE;
}

static int read_page(const struct blk_volume *volume, uint64_t sector, size_t number)
{
    const uint64_t frame = io.memory.pfn + number;
    return blk_read(SLOT_BLK, volume->id, sector, BLK_PAGE_SECTORS, &frame, sizeof(frame));
}

static void test_volumes(uint64_t mebibytes)
{
    struct blk_volume disk, boot, root, none;

    tap_ok(find("mmcblk0", &disk) == 0 && !(disk.flags & (BLK_PARTITION | BLK_READ_ONLY | BLK_CACHED)) &&
               disk.sectors == mebibytes * 2048 && disk.block == BLK_SECTOR_BYTES,
           "a card, of the size that it has");
    tap_ok(strncmp(disk.label, "QEMU!-", 6) == 0, "its name: %s", disk.label);
    tap_ok(find("mmcblk0p1", &boot) == 0 && strcmp(boot.type, "0x0c") == 0 && read_page(&boot, 0, 0) == 0 &&
               page(0)[510] == 0x55 && page(0)[511] == 0xaa,
           "the partition that it is booted from");
    tap_ok(find("mmcblk0p2", &root) == 0 && strcmp(root.type, "0x83") == 0 && read_page(&root, 0, 0) == 0 &&
               (page(0)[1024 + 56] | page(0)[1024 + 57] << 8) == EXT2_MAGIC,
           "an ext2 file system");
    tap_ok(memcmp(page(0) + 1024 + 120, "root", 5) == 0, "with its label");
    tap_ok(read_page(&disk, root.first, 1) == 0 && memcmp(page(0), page(1), PAGE_SIZE) == 0,
           "where the table says it is");
    tap_equal(find("mmcblk1", &none), -ENOENT, "no card in the other reader");
    tap_ok(read_page(&disk, disk.sectors - 8, 0) == 0, "the card's last page");
    tap_equal(read_page(&disk, disk.sectors - 7, 0), -ENXIO, "and nothing past it");
}

static void test_contents(void)
{
    io_test_contents(&io);
    tap_equal(io_now(&io, BLK_READ, 1025, 1, 12), 0, "sectors that begin at no page");
    tap_ok(memcmp(page(12), page(10) + BLK_SECTOR_BYTES, PAGE_SIZE - BLK_SECTOR_BYTES) == 0, "are the right ones");
}

/* Memory that is no device's: the server must not be made to write there. */
static void test_foreign_pages(void)
{
    const uint64_t kernel = 0x200, pairs[] = {io.memory.pfn, kernel, io.memory.pfn + 1, io.memory.pfn};
    struct blk_counts counts;
    size_t count = 0;

    tap_equal(blk_read(SLOT_BLK, io.volume.id, 0, 8, &kernel, sizeof(kernel)), -EIO, "a read into the kernel's memory");
    tap_equal(blk_write(SLOT_BLK, io.volume.id, 0, 8, &kernel, sizeof(kernel)), -EIO, "a write from there");
    tap_equal(io_now(&io, BLK_READ, 8, 1, 201), 0, "the server goes on");
    tap_ok(blk_counts(SLOT_BLK, io.volume.id, &counts, 1, &count) == 0 && counts.errors == 2 && counts.in_flight == 0,
           "and has counted two errors");
    tap_equal(memsrv_dma_copy(SLOT_DMA, PAGE_SIZE, pairs, 16), -EFAULT, "a copy to there");
    tap_equal(memsrv_dma_copy(SLOT_DMA, PAGE_SIZE, pairs, 32), -EINVAL, "pages too many");
    tap_equal(memsrv_dma_copy(SLOT_DMA, PAGE_SIZE + 1, pairs, 16), -EINVAL, "too few");
    tap_equal(memsrv_dma_copy(SLOT_DMA, UINT64_MAX, pairs, 16), -EINVAL, "bytes that wrap");
    tap_equal(memsrv_dma_copy(SLOT_DMA, 0, pairs, 0), -EINVAL, "nothing");
    tap_equal(memsrv_dma_copy(SLOT_MEMSRV, PAGE_SIZE, pairs + 2, 16), -EPERM, "without the right");
    io_fill(&io, 1, 77);
    io_fill(&io, 0, 78);
    tap_equal(memsrv_dma_copy(SLOT_DMA, 100, pairs + 2, 16), 0, "a part of a page");
    tap_ok(memcmp(page(0), page(1), 100) == 0 && page(0)[100] != page(1)[100], "and no more");
}

/* One transfer for each of many places, all at once. */
static bool many(uint64_t operation, size_t first_page)
{
    struct batch batch = {0};
    int statuses[MANY];
    uint64_t accepted;

    for (size_t i = 0; i < MANY; i++) {
        const size_t place = i * 37 % MANY; /* in no order */
        statuses[i] = 1;
        if (!batch_add(&batch, &io, place, operation, 4096 + place * BLK_PAGE_SECTORS, 1, first_page + place))
            return false;
    }
    if (io_submit(&io, &batch, &accepted) || accepted != MANY || io_collect_all(&io, MANY, statuses, MANY))
        return false;
    for (size_t i = 0; i < MANY; i++) {
        if (statuses[i] != 0)
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

static void fill_many(uint64_t seed)
{
    for (size_t i = 0; i < MANY; i++)
        io_fill(&io, i, seed + i);
}

static void test_many(void)
{
    fill_many(1000);
    tap_ok(many(BLK_WRITE, 0), "many writes at once");
    tap_ok(many(BLK_READ, 100) && many_hold(100, 1000), "and reads");
}

/* Ends the server while it writes; then all is written again. */
static bool survives(uint64_t seed)
{
    struct batch batch = {0};
    int statuses[MANY];
    uint64_t accepted;
    const uint64_t server = find_process("blk");

    fill_many(seed);
    for (size_t i = 0; i < 40; i++)
        (void)batch_add(&batch, &io, i, BLK_WRITE, 4096 + i * BLK_PAGE_SECTORS, 1, i);
    if (io_submit(&io, &batch, &accepted) || accepted != 40 || root_kill(SLOT_ROOT, server) != 0)
        return false;
    const int error = io_collect_all(&io, 40, statuses, MANY);
    tap_diag("what was underway: %d; the server was %lu and is %lu", error, (unsigned long)server,
             (unsigned long)find_process("blk"));
    if (error != -ECONNRESET && error != -EPIPE)
        return false;
    return io_open_session(&io) == 0 && many(BLK_WRITE, 0) && many(BLK_READ, 100) && many_hold(100, seed);
}

static void test_ends(void)
{
    for (int i = 0; i < KILLS; i++)
        tap_ok(survives(6000 + 1000 * (uint64_t)i), "the server ends under load, and all goes on with the next");
    tap_ok(memsrv_is_sound(), "memsrv finds nothing wrong");
}

int main(int argument_count, char **arguments)
{
    tap_plan(1 + 9 + 11 + 12 + 2 + KILLS + 1);
    if (!tap_ok(io_open(&io, "mmcblk0p3", MEMORY_PAGES * PAGE_SIZE) == 0, "a session, memory, a volume"))
        return tap_done();
    test_volumes(argument_count > 1 ? strtoul(arguments[1], NULL, 10) : 256);
    test_contents();
    test_foreign_pages();
    test_many();
    test_ends();
    return tap_done();
}
