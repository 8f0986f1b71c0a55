/* SPDX-License-Identifier: MIT */
/* How the block server comes to serve: its objects, its memory, its disks. */
#include "server.h"

#include <base/bits.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <proto/server_memory.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdio.h>
#include <stdlib.h>

#define OFFSET_DIGITS 3u /* of an argument: where the registers are in their page */

static _Noreturn void fail(const char *reason)
{
    (void)!root_log(SLOT_ROOT, reason, strlen(reason));
    exit(EXIT_FAILURE);
}

static uint64_t create_reply(void)
{
    uint64_t identifier;
    const uint64_t slot = slot_allocate();

    if (slot == SLOT_NONE || memsrv_object_create(SLOT_MEMSRV, CAP_REPLY, &identifier, slot) < 0)
        fail("blk: no kernel object\n");
    return slot;
}

/* Memory that the device sees. It does not come and go with the disk: a server that starts anew has new memory. */
static int take_memory(struct disk *disk)
{
    uint64_t id, pfn, address;

    int error = memsrv_memory_dma(SLOT_DMA, disk->kind->memory_bytes, 0, &id, &pfn);
    if (!error)
        error = memsrv_map_object(SLOT_MEMSRV, 0, disk->kind->memory_bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE,
                                  MEMSRV_MAP_SHARED | MEMSRV_MAP_POPULATE, id, 0, &address);
    if (error)
        return error;
    disk->shared = (void *)address;
    disk->physical = pfn << PAGE_SHIFT;
    return 0;
}

/* Reads how much is mapped of what a PCI function's address registers lead to, a digit each, and what the function is to
 * write for an interrupt. */
static int read_pci(struct disk *disk, const char *digits)
{
    for (unsigned i = 0; i < BLK_BARS; i++) {
        if (digits[i] < '0' || digits[i] > '0' + (int)BLK_BAR_PAGES)
            return -EINVAL;
        disk->where.bars[i].bytes = (uint32_t)(digits[i] - '0') * (uint32_t)PAGE_SIZE;
        disk->where.bars[i].base =
            (volatile uint8_t *)(BLK_BARS_ADDRESS + (disk->number * BLK_BARS + i) * BLK_BAR_PAGES * PAGE_SIZE);
    }
    const long data = sys_irq_message(disk->irq_slot, &disk->where.message_address);
    if (digits[BLK_BARS] || data < 0)
        return digits[BLK_BARS] ? -EINVAL : (int)data;
    disk->where.message_data = (uint32_t)data;
    return 0;
}

/* Finds out of an argument what kind of a disk it is, and where its registers are. EINVAL: it is no disk's. */
static int read_argument(struct disk *disk, const char *argument)
{
    static const struct {
        const char *text;
        const struct disk_kind *kind;
        const struct virtio_transport *transport;
    } kinds[] = {{BLK_START_VIRTIO_MMIO, &virtio_kind, &virtio_mmio},
                 {BLK_START_VIRTIO_PCI, &virtio_kind, &virtio_pci},
                 {BLK_START_SDHCI, &sd_kind, NULL}};
    char digits[OFFSET_DIGITS + 1] = {0};
    char *end;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        const size_t length = strlen(kinds[i].text);
        if (strncmp(argument, kinds[i].text, length) != 0 || strlen(argument + length) < OFFSET_DIGITS)
            continue;
        memcpy(digits, argument + length, OFFSET_DIGITS);
        const uint64_t offset = strtoul(digits, &end, 16);
        if (*end != '\0' || offset >= PAGE_SIZE || offset % sizeof(uint32_t) != 0)
            return -EINVAL;
        disk->kind = kinds[i].kind;
        if (kinds[i].transport)
            disk->transport = kinds[i].transport;
        disk->where.registers = (volatile void *)(BLK_REGISTERS_ADDRESS + disk->number * PAGE_SIZE + offset);
        argument += length + OFFSET_DIGITS;
        return kinds[i].transport == &virtio_pci ? read_pci(disk, argument) : *argument ? -EINVAL : 0;
    }
    return -EINVAL;
}

/* How many disks of the kind there are. */
static unsigned count_kind(const struct blk_context *context, const struct disk_kind *kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < context->disk_count; i++)
        count += context->disks[i].kind == kind && !context->disks[i].absent;
    return count;
}

/* Starts the disk of the argument of that number. A negative errno. */
static int start_disk(struct blk_context *context, unsigned number, const char *argument)
{
    struct disk *disk = &context->disks[number];

    *disk = (struct disk){.number = number, .irq_slot = BLK_SLOT_IRQ + number};
    int error = read_argument(disk, argument);
    if (error)
        return error;
    disk->place = count_kind(context, disk->kind);
    error = take_memory(disk);
    if (!error)
        error = disk_start(disk);
    if (error)
        return error;
    volumes_add(context, disk);
    if (disk->broken)
        return 0; /* it is there, and all that is asked of it fails */
    /* The interrupts of what was read until now are of no interest any more. */
    (void)!disk->kind->acknowledge(disk);
    return (int)sys_irq_bind(disk->irq_slot, SLOT_NOTIFICATION, 1UL << number);
}

static void start_disks(struct blk_context *context, int count, char **arguments)
{
    char line[96];

    for (int i = 0; i < count && i < (int)BLK_DISKS_MAX; i++) {
        const int error = start_disk(context, (unsigned)i, arguments[i]);
        context->disk_count = (unsigned)i + 1;
        if (error == 0)
            continue;
        context->disks[i].broken = true;
        context->disks[i].absent = error == -ENXIO;
        if (error == -ENXIO)
            continue;
        const int length = snprintf(line, sizeof(line), "blk: disk %d cannot be used: error %d\n", i, error);
        (void)!root_log(SLOT_ROOT, line, (size_t)length);
    }
}

/* A second thread says once a second that time has passed. */
static int tick(void *argument)
{
    for (;;) {
        clock_sleep_until(clock_now_ns() + NS_PER_SECOND);
        if (sys_signal(SLOT_NOTIFICATION, BLK_EVENT_TICK) < 0)
            return 1;
    }
}

void server_start(struct blk_context *context, int argument_count, char **arguments)
{
    context->reply = SLOT_REPLY;
    context->arriving = slot_allocate();
    while (context->spare_count < WAITERS_MAX)
        context->spare_replies[context->spare_count++] = create_reply();
    list_init(&context->free_requests);
    for (size_t i = REQUESTS_MAX; i > 0; i--)
        list_push_front(&context->free_requests, &context->requests[i - 1].link);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        list_init(&context->sessions[i].ended);
    /* Above all numbers of the server before, which has made less than one a nanosecond. */
    context->next_session = clock_now_ns() + 1;
    start_disks(context, argument_count - 1, arguments + 1);
    struct thread *ticker;
    if (thread_create(&ticker, tick, NULL) < 0)
        fail("blk: no second thread\n");
    /* Memory is written back through this server: so none of its own may ever be away. */
    if (memsrv_lock_all(SLOT_MEMSRV, MEMSRV_LOCK_CURRENT | MEMSRV_LOCK_FUTURE | SERVER_LOCK_FLAGS) < 0)
        fail("blk: its memory cannot be locked\n");
    programs_settle(context);
}
