/* SPDX-License-Identifier: MIT */
/* A disk: requests wait, go to the device, and end. */
#include "server.h"

#include <proto/root_client.h>
#include <quire/clock.h>
#include <stdio.h>
#include <stdlib.h>

#define START_PATIENCE_NS 5000000000UL
#define START_STEP_NS     200000UL

static void say(const struct disk *disk, const char *text)
{
    char line[96];
    const int length = snprintf(line, sizeof(line), "blk: disk %u: %s\n", disk->number, text);
    (void)!root_log(SLOT_ROOT, line, (size_t)length);
}

/* --- To the device ------------------------------------------------------------------------------------------------ */

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
static void give(struct disk *disk, struct request *request)
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
    disk->counts.in_flight++;
    if (disk->counts.in_flight > disk->counts.most_in_flight)
        disk->counts.most_in_flight = disk->counts.in_flight;
}

/* --- Ends --------------------------------------------------------------------------------------------------------- */

static void end(struct blk_context *context, struct disk *disk, struct request *request, int status)
{
    if (status < 0)
        disk->counts.errors++;
    request_end(context, request, status);
}

/* The device is not to be trusted any more: everything that it has or was to get ends with EIO. */
static void fail(struct blk_context *context, struct disk *disk, const char *reason)
{
    struct list *link;

    disk->broken = true;
    say(disk, reason);
    while ((link = list_first(&disk->waiting))) {
        list_remove(link);
        end(context, disk, CONTAINER_OF(link, struct request, link), -EIO);
    }
    if (virtio_blk_stop(&disk->device) < 0) {
        /* It may go on using memory, of which nothing may be given back while it does. */
        say(disk, "it does not come to a reset; what it has does not end");
        return;
    }
    for (unsigned slot = 0; slot < VIRTQUEUE_SLOTS_MAX; slot++) {
        if (disk->slots[slot])
            end(context, disk, disk->slots[slot], -EIO);
        disk->slots[slot] = NULL;
    }
    disk->counts.in_flight = 0;
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

static void count_end(struct disk *disk, const struct request *request)
{
    disk->counts.in_flight--;
    if (request->operation == BLK_READ) {
        disk->counts.reads++;
        disk->counts.read_sectors += request->count;
    } else if (request->operation == BLK_WRITE) {
        disk->counts.writes++;
        disk->counts.written_sectors += request->count;
    } else {
        disk->counts.flushes++;
    }
}

/* Takes what the device has done with. False: it says what cannot be. */
static bool take_ended(struct blk_context *context, struct disk *disk)
{
    uint32_t length;
    int slot;

    while ((slot = virtqueue_take(&disk->queue, &length)) >= 0) {
        struct request *request = disk->slots[slot];
        disk->slots[slot] = NULL;
        count_end(disk, request);
        end(context, disk, request, status_of(disk, (unsigned)slot));
    }
    return slot == -EAGAIN;
}

void disk_interrupt(struct blk_context *context, struct disk *disk)
{
    if (disk->broken)
        return; /* its interrupt stays masked */
    disk->counts.interrupts++;
    const bool good = virtio_blk_acknowledge(&disk->device);
    if (sys_irq_ack(disk->irq_slot) < 0)
        say(disk, "the interrupt is gone");
    if (!good)
        fail(context, disk, "the device says that it is broken");
    else if (!take_ended(context, disk))
        fail(context, disk, "the device has said what cannot be");
    else
        disk_run(context, disk);
}

/* --- Waiting ------------------------------------------------------------------------------------------------------ */

/* What an injected fault makes of a request. */
static uint64_t fault_for(const struct disk *disk, const struct request *request)
{
    const struct injection *injection = &disk->injection;

    if (!(injection->operations >> request->operation & 1))
        return BLK_FAULT_NONE;
    if (request->operation != BLK_FLUSH &&
        (request->sector >= injection->end || request->sector + request->count <= injection->first))
        return BLK_FAULT_NONE;
    return injection->fault;
}

void disk_submit(struct blk_context *context, struct disk *disk, struct request *request)
{
    const uint64_t fault = fault_for(disk, request);

    if (disk->broken || fault == BLK_FAULT_ERROR)
        end(context, disk, request, -EIO);
    else if (fault == BLK_FAULT_HOLD)
        list_push_back(&disk->held, &request->link);
    else if (request->operation == BLK_FLUSH && !(disk->device.features & VIRTIO_BLK_FLUSH))
        end(context, disk, request, 0); /* what has ended has been written */
    else
        list_push_back(&disk->waiting, &request->link);
}

void disk_run(struct blk_context *context, struct disk *disk)
{
    bool added = false;

    while (!disk->broken && virtqueue_has_room(&disk->queue) && !list_empty(&disk->waiting)) {
        struct list *link = list_first(&disk->waiting);
        list_remove(link);
        give(disk, CONTAINER_OF(link, struct request, link));
        added = true;
    }
    if (added && virtqueue_wants_notice(&disk->queue))
        virtio_blk_notify(&disk->device);
}

void disk_inject(struct blk_context *context, struct disk *disk, const struct injection *injection)
{
    struct list held;

    list_init(&held);
    LIST_FOR_EACH_SAFE(link, &disk->held)
    {
        list_remove(link);
        list_push_back(&held, link);
    }
    disk->injection = *injection;
    LIST_FOR_EACH_SAFE(link, &held)
    {
        list_remove(link);
        disk_submit(context, disk, CONTAINER_OF(link, struct request, link));
    }
    disk_run(context, disk);
}

/* --- Start -------------------------------------------------------------------------------------------------------- */

int disk_start(struct disk *disk, volatile void *registers)
{
    list_init(&disk->waiting);
    list_init(&disk->held);
    int error = virtio_blk_start(&disk->device, registers);
    if (!error)
        error = virtqueue_init(&disk->queue, &disk->memory->queue, disk->physical + offsetof(struct disk_memory, queue),
                               virtio_blk_queue_size(&disk->device), disk->device.features & VIRTIO_BLK_INDIRECT);
    if (!error)
        error = virtio_blk_run(&disk->device, &disk->queue);
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

    if (disk->broken)
        return -EIO;
    fill_frame(disk, slot, type, sector);
    const int added = virtqueue_add(&disk->queue, segments, 3, 1);
    ASSERT(added == (int)slot);
    (void)added;
    virtio_blk_notify(&disk->device);
    return wait_for(disk);
}

int disk_read_now(struct disk *disk, uint64_t sector, uint32_t count, void *bytes)
{
    char *place = bytes;

    while (count > 0) {
        const uint32_t part = count < BLK_PAGE_SECTORS ? count : (uint32_t)BLK_PAGE_SECTORS;
        const int error = read_page(disk, VIRTIO_BLK_TYPE_IN, sector, part * SECTOR_BYTES);
        if (error)
            return error;
        memcpy(place, disk->memory->page, part * SECTOR_BYTES);
        place += part * SECTOR_BYTES;
        sector += part;
        count -= part;
    }
    return 0;
}

int disk_read_serial(struct disk *disk, char *text)
{
    const int error = read_page(disk, VIRTIO_BLK_TYPE_GET_ID, 0, VIRTIO_BLK_SERIAL_BYTES);

    memcpy(text, disk->memory->page, VIRTIO_BLK_SERIAL_BYTES);
    text[error ? 0 : VIRTIO_BLK_SERIAL_BYTES] = '\0';
    return error;
}
