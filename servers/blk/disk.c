/* SPDX-License-Identifier: MIT */
/* A disk: requests wait, go to the device, and end. */
#include "server.h"

#include <proto/root_client.h>
#include <quire/clock.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS 1000000UL

void disk_say(const struct disk *disk, const char *text)
{
    char line[96];
    const int length = snprintf(line, sizeof(line), "blk: disk %u: %s\n", disk->number, text);
    (void)!root_log(SLOT_ROOT, line, (size_t)length);
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
    disk_say(disk, reason);
    while ((link = list_first(&disk->waiting))) {
        list_remove(link);
        end(context, disk, CONTAINER_OF(link, struct request, link), -EIO);
    }
    if (disk->kind->stop(disk) < 0) {
        /* It may go on using memory, of which nothing may be given back while it does. */
        disk_say(disk, "it does not come to a reset; what it has does not end");
        return;
    }
    for (unsigned slot = 0; slot < VIRTQUEUE_SLOTS_MAX; slot++) {
        if (disk->slots[slot])
            end(context, disk, disk->slots[slot], -EIO);
        disk->slots[slot] = NULL;
    }
    while ((link = list_first(&disk->lost))) {
        list_remove(link);
        end(context, disk, CONTAINER_OF(link, struct request, link), -EIO);
    }
    disk->counts.in_flight = 0;
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
    struct request *request;
    int status, taken;

    while ((taken = disk->kind->take(disk, &request, &status)) > 0) {
        count_end(disk, request);
        end(context, disk, request, status);
    }
    return taken == 0;
}

void disk_interrupt(struct blk_context *context, struct disk *disk)
{
    if (disk->broken)
        return; /* its interrupt stays masked */
    disk->counts.interrupts++;
    const bool good = disk->kind->acknowledge(disk);
    if (sys_irq_ack(disk->irq_slot) < 0)
        disk_say(disk, "the interrupt is gone");
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

static void lose(struct disk *disk, struct request *request)
{
    request->deadline = clock_now_ns() + BLK_LOST_MS * NS_PER_MS;
    list_push_back(&disk->lost, &request->link);
}

void disk_submit(struct blk_context *context, struct disk *disk, struct request *request)
{
    const uint64_t fault = fault_for(disk, request);

    if (disk->broken || fault == BLK_FAULT_ERROR)
        end(context, disk, request, -EIO);
    else if (fault == BLK_FAULT_HOLD)
        list_push_back(&disk->held, &request->link);
    else if (fault == BLK_FAULT_LOSE)
        lose(disk, request);
    else if (request->operation == BLK_FLUSH && !disk->cached)
        end(context, disk, request, 0); /* what has ended has been written */
    else
        list_push_back(&disk->waiting, &request->link);
}

/* Gives the device a request, which ends at once if that cannot be done. */
static void give(struct blk_context *context, struct disk *disk, struct request *request)
{
    request->deadline = clock_now_ns() + BLK_PATIENCE_MS * NS_PER_MS;
    if (disk->kind->give(disk, request) < 0) {
        end(context, disk, request, -EIO);
        return;
    }
    disk->counts.in_flight++;
    if (disk->counts.in_flight > disk->counts.most_in_flight)
        disk->counts.most_in_flight = disk->counts.in_flight;
}

void disk_run(struct blk_context *context, struct disk *disk)
{
    bool added = false;

    while (!disk->broken && disk->kind->has_room(disk) && !list_empty(&disk->waiting)) {
        struct list *link = list_first(&disk->waiting);
        list_remove(link);
        give(context, disk, CONTAINER_OF(link, struct request, link));
        added = true;
    }
    if (added)
        disk->kind->notify(disk);
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

/* --- Patience ----------------------------------------------------------------------------------------------------- */

/* True if the device has had a request for too long. */
static bool is_overdue(const struct disk *disk, uint64_t now)
{
    const struct list *first = list_first(&disk->lost);

    if (first && CONTAINER_OF(first, struct request, link)->deadline <= now)
        return true;
    for (unsigned slot = 0; slot < VIRTQUEUE_SLOTS_MAX; slot++) {
        if (disk->slots[slot] && disk->slots[slot]->deadline <= now)
            return true;
    }
    return false;
}

/* Of what a device that is reset has had: what is overdue ends, the rest waits for it once more. */
static void take_back(struct blk_context *context, struct disk *disk, uint64_t now)
{
    for (unsigned slot = 0; slot < VIRTQUEUE_SLOTS_MAX; slot++) {
        struct request *request = disk->slots[slot];
        disk->slots[slot] = NULL;
        if (request && request->deadline <= now)
            end(context, disk, request, -EIO);
        else if (request)
            list_push_front(&disk->waiting, &request->link);
    }
    LIST_FOR_EACH_SAFE(link, &disk->lost)
    {
        struct request *request = CONTAINER_OF(link, struct request, link);
        if (request->deadline > now)
            continue;
        list_remove(link);
        end(context, disk, request, -EIO);
    }
    disk->counts.in_flight = 0;
}

void disk_check_patience(struct blk_context *context, struct disk *disk)
{
    const uint64_t now = clock_now_ns();

    if (disk->broken || !is_overdue(disk, now))
        return;
    disk_say(disk, "it does not answer, and is reset");
    /* It may have answered by now; what it has had is not taken for that. */
    if (disk->kind->stop(disk) < 0 || disk->kind->start(disk) < 0) {
        fail(context, disk, "it does not come back");
        return;
    }
    take_back(context, disk, now);
    (void)!disk->kind->acknowledge(disk);
    (void)!sys_irq_ack(disk->irq_slot);
    disk_run(context, disk);
}

int disk_start(struct disk *disk)
{
    list_init(&disk->waiting);
    list_init(&disk->held);
    list_init(&disk->lost);
    return disk->kind->start(disk);
}

int disk_read_now(struct disk *disk, uint64_t sector, uint32_t count, void *bytes)
{
    char *place = bytes;

    while (count > 0) {
        const uint32_t part = count < BLK_PAGE_SECTORS ? count : (uint32_t)BLK_PAGE_SECTORS;
        const int error = disk->broken ? -EIO : disk->kind->read_now(disk, sector, part, place);
        if (error)
            return error;
        place += part * SECTOR_BYTES;
        sector += part;
        count -= part;
    }
    return 0;
}
