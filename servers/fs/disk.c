/* SPDX-License-Identifier: MIT */
/*
 * A volume of the block server; see disk.h.
 */
#include "disk.h"

#include <base/list.h>
#include <errno.h>
#include <proto/blk_client.h>
#include <quire/clock.h>
#include <string.h>

#define MEMORY_PAGES    16u
#define MEMORY_BYTES    (MEMORY_PAGES * PAGE_SIZE)
#define ATTEMPTS        50u
#define ATTEMPT_WAIT_NS 20000000u

_Static_assert(BLOCK_DEVICE_SECTOR == BLK_SECTOR_BYTES && MEMORY_PAGES <= BLK_REQUEST_PAGES, "a request fits");

static struct disk *disk_of(struct block_device *device)
{
    return CONTAINER_OF(device, struct disk, device);
}

/* True if the same request may be granted later: the block server was started again, or has too much to do. Doing it
 * twice does no harm, and until it has an answer the memory is used for nothing else. */
static bool is_passing(int error, unsigned attempt)
{
    if ((error != -EPIPE && error != -EAGAIN) || attempt == ATTEMPTS)
        return false;
    clock_sleep_until(clock_now_ns() + ATTEMPT_WAIT_NS);
    return true;
}

/* One request for what the memory holds, or shall hold. */
static int transfer(const struct disk *disk, bool write, uint64_t offset, size_t bytes)
{
    const uint64_t sector = offset / BLK_SECTOR_BYTES, count = bytes / BLK_SECTOR_BYTES;
    const size_t frame_bytes = (bytes + PAGE_SIZE - 1) / PAGE_SIZE * sizeof(uint64_t);
    uint64_t frames[MEMORY_PAGES];
    int error = -EPIPE;

    for (size_t i = 0; i < MEMORY_PAGES; i++)
        frames[i] = disk->memory.pfn + i;
    for (unsigned attempt = 0; is_passing(error, attempt); attempt++)
        error = write ? blk_write(SLOT_BLK, disk->volume, sector, count, frames, frame_bytes)
                      : blk_read(SLOT_BLK, disk->volume, sector, count, frames, frame_bytes);
    return error;
}

static size_t part_of(size_t bytes)
{
    return bytes < MEMORY_BYTES ? bytes : MEMORY_BYTES;
}

static int disk_read(struct block_device *device, uint64_t offset, void *data, size_t bytes)
{
    struct disk *disk = disk_of(device);

    for (size_t done = 0, part; done < bytes; done += part) {
        part = part_of(bytes - done);
        const int error = transfer(disk, false, offset + done, part);
        if (error < 0)
            return error;
        memcpy((char *)data + done, disk->memory.address, part);
    }
    return 0;
}

static int disk_write(struct block_device *device, uint64_t offset, const void *data, size_t bytes)
{
    struct disk *disk = disk_of(device);

    for (size_t done = 0, part; done < bytes; done += part) {
        part = part_of(bytes - done);
        memcpy(disk->memory.address, (const char *)data + done, part);
        const int error = transfer(disk, true, offset + done, part);
        if (error < 0)
            return error;
    }
    return 0;
}

static int disk_flush(struct block_device *device)
{
    int error = -EPIPE;

    for (unsigned attempt = 0; is_passing(error, attempt); attempt++)
        error = blk_flush(SLOT_BLK, disk_of(device)->volume);
    return error;
}

/* The block server reads partition tables before it answers. */
static int find(const char *name, struct blk_volume *volume)
{
    size_t count = 0;
    int error = -EPIPE;

    for (unsigned attempt = 0; is_passing(error, attempt); attempt++)
        error = blk_find(SLOT_BLK, name, strlen(name), volume, 1, &count);
    return error == 0 && count != 1 ? -ENOENT : error;
}

int disk_open(struct disk *disk, const char *name)
{
    struct blk_volume volume;

    if (sys_cap_query(SLOT_BLK, NULL) <= 0)
        return -ENODEV;
    const int error = find(name, &volume);
    if (error < 0)
        return error;
    *disk = (struct disk){
        .device = {.bytes = volume.sectors * BLK_SECTOR_BYTES,
                   .read_only = (volume.flags & BLK_READ_ONLY) != 0,
                   .read = disk_read,
                   .write = disk_write,
                   .flush = disk_flush},
        .volume = volume.id,
    };
    return dma_memory_take(&disk->memory, MEMORY_BYTES) < 0 ? -ENOMEM : 0;
}
