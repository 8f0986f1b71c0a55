/* SPDX-License-Identifier: MIT */
/* Disks behind virtio: a request is a chain of segments in the device's queue. */
#include <quire/clock.h>

#include "server.h"

#define START_PATIENCE_NS 5000000000UL
#define START_STEP_NS     200000UL

static uint64_t frame_address(const struct disk *disk, unsigned slot)
{
    return disk->physical + offsetof(struct disk_memory, frames) + slot * sizeof(struct request_frame);
}

/* Adds [address, address + length) to the segments, to the last one if it goes on there. */
static unsigned add_segment(const struct disk *disk, struct virtqueue_segment *segments, unsigned count,
                            uint64_t address, uint32_t length)
{
    struct virtqueue_segment *last = &segments[count - 1];

    /* The first is the header. */
    if (count > 1 && last->address + last->length == address &&
        last->length <= disk->device.segment_bytes_max - length) {
        last->length += length;
        return count;
    }
    segments[count] = (struct virtqueue_segment){address, length};
    return count + 1;
}

/* Segments of a request, header and status included, of which *readable are the device's to read. */
static unsigned make_segments(const struct disk *disk, const struct request *request, unsigned slot,
                              struct virtqueue_segment segments[VIRTQUEUE_SEGMENTS_MAX], unsigned *readable)
{
    uint64_t bytes = request->count * SECTOR_BYTES;
    unsigned count = 1;

    segments[0] = (struct virtqueue_segment){frame_address(disk, slot), sizeof(struct virtio_blk_header)};
    for (unsigned page = 0; bytes > 0; page++) {
        const uint32_t part = bytes < PAGE_SIZE ? (uint32_t)bytes : (uint32_t)PAGE_SIZE;
        count = add_segment(disk, segments, count, request->frames[page] << PAGE_SHIFT, part);
        bytes -= part;
    }
    *readable = request->operation == BLK_WRITE ? count : 1;
    segments[count++] =
        (struct virtqueue_segment){frame_address(disk, slot) + offsetof(struct request_frame, status), sizeof(uint8_t)};
    return count;
}

static uint32_t device_type(const struct request *request)
{
    switch (request->operation) {
    case BLK_READ:
        return VIRTIO_BLK_TYPE_IN;
    case BLK_WRITE:
        return VIRTIO_BLK_TYPE_OUT;
    default:
        return VIRTIO_BLK_TYPE_FLUSH;
    }
}

/* Writes the part of a slot that is the request's. */
static void fill_frame(struct disk *disk, unsigned slot, uint32_t type, uint64_t sector)
{
    disk->memory->frames[slot] =
        (struct request_frame){.header = {.type = type, .sector = sector}, .status = VIRTIO_BLK_STATUS_IO_ERROR};
}

/* Gives the device a request. There is a free slot, which is the next. */
static int give(struct disk *disk, struct request *request)
{
    struct virtqueue_segment segments[VIRTQUEUE_SEGMENTS_MAX];
    const unsigned slot = virtqueue_next_slot(&disk->queue);
    unsigned readable;
    const unsigned count = make_segments(disk, request, slot, segments, &readable);

    fill_frame(disk, slot, device_type(request), request->operation == BLK_FLUSH ? 0 : request->sector);
    const int added = virtqueue_add(&disk->queue, segments, count, readable);
    ASSERT(added == (int)slot);
    (void)added;
    disk->slots[slot] = request;
    return 0;
}

static bool has_room(const struct disk *disk)
{
    return virtqueue_has_room(&disk->queue);
}

static void notify(struct disk *disk)
{
    if (virtqueue_wants_notice(&disk->queue))
        virtio_blk_notify(&disk->device);
}

static bool acknowledge(struct disk *disk)
{
    return virtio_blk_acknowledge(&disk->device);
}

static int status_of(const struct disk *disk, unsigned slot)
{
    switch (*(const volatile uint8_t *)&disk->memory->frames[slot].status) {
    case VIRTIO_BLK_STATUS_OK:
        return 0;
    case VIRTIO_BLK_STATUS_UNSUPPORTED:
        return -EOPNOTSUPP;
    default:
        return -EIO;
    }
}

static int take(struct disk *disk, struct request **request, int *status)
{
    uint32_t length;
    const int slot = virtqueue_take(&disk->queue, &length);

    if (slot < 0)
        return slot == -EAGAIN ? 0 : slot;
    *request = disk->slots[slot];
    *status = status_of(disk, (unsigned)slot);
    disk->slots[slot] = NULL;
    return 1;
}

static int stop(struct disk *disk)
{
    return virtio_blk_stop(&disk->device);
}

static int start(struct disk *disk)
{
    int error = virtio_blk_start(&disk->device, disk->transport, &disk->where);
    if (!error)
        error = virtqueue_init(&disk->queue, &disk->memory->queue, disk->physical + offsetof(struct disk_memory, queue),
                               virtio_blk_queue_size(&disk->device), disk->device.features & VIRTIO_BLK_INDIRECT);
    if (!error)
        error = virtio_blk_run(&disk->device, &disk->queue);
    disk->sectors = disk->device.sectors;
    disk->block_bytes = disk->device.block_bytes;
    disk->read_only = disk->device.features & VIRTIO_BLK_READ_ONLY;
    disk->cached = disk->device.features & VIRTIO_BLK_FLUSH;
    return error;
}

/* Waits for the one chain that the device has. */
static int wait_for(struct disk *disk)
{
    const uint64_t deadline = clock_now_ns() + START_PATIENCE_NS;
    uint32_t length;
    int slot;

    while ((slot = virtqueue_take(&disk->queue, &length)) == -EAGAIN && clock_now_ns() < deadline)
        (void)!sys_wait(SLOT_NONE, clock_now_ns() + START_STEP_NS, &(uint64_t){0});
    if (slot >= 0)
        return status_of(disk, (unsigned)slot);
    disk->broken = true;
    /* If even this fails the disk's memory is never used for anything else, which is all that can be done. */
    (void)!virtio_blk_stop(&disk->device);
    return slot == -EAGAIN ? -ETIMEDOUT : slot;
}

/* Has the device write `bytes` bytes into the disk's page. */
static int read_page(struct disk *disk, uint32_t type, uint64_t sector, uint32_t bytes)
{
    const unsigned slot = virtqueue_next_slot(&disk->queue);
    const uint64_t frame = frame_address(disk, slot);
    const struct virtqueue_segment segments[] = {
        {frame, sizeof(struct virtio_blk_header)},
        {disk->physical + offsetof(struct disk_memory, page), bytes},
        {frame + offsetof(struct request_frame, status), sizeof(uint8_t)},
    };

    fill_frame(disk, slot, type, sector);
    const int added = virtqueue_add(&disk->queue, segments, 3, 1);
    ASSERT(added == (int)slot);
    (void)added;
    virtio_blk_notify(&disk->device);
    return wait_for(disk);
}

static int read_now(struct disk *disk, uint64_t sector, uint32_t count, void *bytes)
{
    const int error = read_page(disk, VIRTIO_BLK_TYPE_IN, sector, count * SECTOR_BYTES);

    if (!error)
        memcpy(bytes, disk->memory->page, count * SECTOR_BYTES);
    return error;
}

static int read_serial(struct disk *disk, char *text)
{
    const int error = read_page(disk, VIRTIO_BLK_TYPE_GET_ID, 0, VIRTIO_BLK_SERIAL_BYTES);

    memcpy(text, disk->memory->page, VIRTIO_BLK_SERIAL_BYTES);
    text[error ? 0 : VIRTIO_BLK_SERIAL_BYTES] = '\0';
    return error;
}

const struct disk_kind virtio_kind = {
    .name = "vd",
    .separator = "",
    .first = 'a',
    .memory_bytes = sizeof(struct disk_memory),
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
