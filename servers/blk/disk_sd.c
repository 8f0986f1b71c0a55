/* SPDX-License-Identifier: MIT */
/*
 * SD cards as disks: one request at a time. The controller's buffer is emptied and filled by this server, which cannot
 * see the memory of who asks: so what comes and goes is in memory of its own, between which and the asker's memsrv
 * copies.
 */
#include <proto/memsrv_client.h>
#include <quire/clock.h>

#include "server.h"

#define REQUEST_BYTES     (BLK_REQUEST_PAGES * PAGE_SIZE)
#define START_PATIENCE_NS 5000000000UL
#define START_STEP_NS     100000UL

static uint64_t bytes_of(const struct request *request)
{
    return request->count * SECTOR_BYTES;
}

/* Copies between the asker's pages and the disk's memory. EFAULT: the former are no memory for devices. */
static int copy(const struct disk *disk, const struct request *request, bool to_asker)
{
    uint64_t pairs[2 * BLK_REQUEST_PAGES];
    const uint64_t pages = (bytes_of(request) + PAGE_SIZE - 1) >> PAGE_SHIFT;

    for (uint64_t i = 0; i < pages; i++) {
        const uint64_t own = (disk->physical >> PAGE_SHIFT) + i;
        pairs[2 * i] = to_asker ? own : request->frames[i];
        pairs[2 * i + 1] = to_asker ? request->frames[i] : own;
    }
    return memsrv_dma_copy(SLOT_DMA, bytes_of(request), pairs, 2 * pages * sizeof(*pairs));
}

static int start(struct disk *disk)
{
    const int error = sd_card_start(&disk->card, disk->where.registers);

    disk->sectors = disk->card.sectors;
    disk->block_bytes = SDHCI_BLOCK_BYTES;
    disk->read_only = disk->card.read_only;
    disk->cached = false;
    return error;
}

static bool has_room(const struct disk *disk)
{
    return disk->slots[0] == NULL;
}

static int give(struct disk *disk, struct request *request)
{
    const bool write = request->operation == BLK_WRITE;
    int error = write ? copy(disk, request, false) : 0;

    if (!error)
        error = sd_card_transfer(&disk->card, write, request->sector, (uint32_t)request->count, disk->shared);
    if (!error)
        disk->slots[0] = request;
    return error;
}

static int take(struct disk *disk, struct request **request, int *status)
{
    struct request *ended = disk->slots[0];

    if (!ended || disk->card.controller.busy)
        return 0;
    *status = disk->card.controller.failed ? -EIO : 0;
    if (*status == 0 && ended->operation == BLK_READ && copy(disk, ended, true) < 0)
        *status = -EIO;
    disk->slots[0] = NULL;
    *request = ended;
    return 1;
}

static bool acknowledge(struct disk *disk)
{
    (void)!sdhci_progress(&disk->card.controller);
    sdhci_set_interrupts(&disk->card.controller, true);
    return true;
}

static int stop(struct disk *disk)
{
    return sdhci_stop(&disk->card.controller);
}

static int read_now(struct disk *disk, uint64_t sector, uint32_t count, void *bytes)
{
    const uint64_t deadline = clock_now_ns() + START_PATIENCE_NS;

    if (sd_card_transfer(&disk->card, false, sector, count, disk->shared) < 0)
        return -EIO;
    while (!sdhci_progress(&disk->card.controller)) {
        if (clock_now_ns() > deadline) {
            disk->broken = true;
            (void)!stop(disk);
            return -ETIMEDOUT;
        }
        (void)!sys_wait(SLOT_NONE, clock_now_ns() + START_STEP_NS, &(uint64_t){0});
    }
    if (disk->card.controller.failed)
        return -EIO;
    memcpy(bytes, disk->shared, count * SECTOR_BYTES);
    return 0;
}

static int read_serial(struct disk *disk, char *text)
{
    memcpy(text, disk->card.serial, sizeof(disk->card.serial));
    return 0;
}
_Static_assert(SD_SERIAL_BYTES <= VIRTIO_BLK_SERIAL_BYTES + 1, "it has room");

static void notify(struct disk *disk)
{
    (void)disk; /* writing the command has started it */
}

const struct disk_kind sd_kind = {
    .name = "mmcblk",
    .separator = "p",
    .first = '0',
    .memory_bytes = REQUEST_BYTES,
    .start = start,
    .has_room = has_room,
    .give = give,
    .notify = notify,
    .acknowledge = acknowledge,
    .take = take,
    .stop = stop,
    .read_now = read_now,
    .read_serial = read_serial,
};
