/* SPDX-License-Identifier: MIT */
/*
 * virtio over PCI in its present form (virtio 1.2, section 4.1): capabilities in the function's configuration say where its
 * registers are. Its one interrupt is a message (MSI-X; PCI Local Bus Specification 3.0, section 6.8.2).
 */
#include <errno.h>
#include <quire/abi.h>

#include "virtio_blk.h"

/* Configuration: bytes. */
#define CONFIG_VENDOR       0x00u
#define CONFIG_DEVICE       0x02u
#define CONFIG_COMMAND      0x04u
#define CONFIG_STATUS       0x06u
#define CONFIG_CAPABILITIES 0x34u
#define CONFIG_HEAD_BYTES   0x40u
#define CONFIG_BYTES        0x100u /* in which capabilities are */

#define VENDOR               0x1af4u
#define DEVICE_BLOCK         0x1042u
#define DEVICE_BLOCK_BOTH    0x1001u /* as before version 1.0, and in the present form perhaps */
#define COMMAND_MEMORY       (1u << 1)
#define COMMAND_MASTER       (1u << 2)
#define COMMAND_NO_LINE      (1u << 10)
#define STATUS_CAPABILITIES  (1u << 4)
#define CAPABILITIES_MAX     48u
#define CAPABILITY_MSIX      0x11u
#define CAPABILITY_VENDOR    0x09u
#define CAPABILITY_BYTES_MAX 20u

/* Of a capability of virtio's. */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_NOTIFY_STEP = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_DEVICE = 4 };
#define COMMON_BYTES 56u
#define DEVICE_BYTES 24u /* of the block device's configuration, as far as it is used */

/* Of the capability of messages, and of the table's first entry. */
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4 };
enum { ENTRY_LOW = 0, ENTRY_HIGH = 1, ENTRY_DATA = 2, ENTRY_CONTROL = 3 }; /* words */
#define MSIX_ENABLE      (1u << 15)
#define MSIX_MASK        (1u << 14)
#define MSIX_BAR         7u
#define MSIX_ENTRY_BYTES 16u
#define ENTRY_MASKED     1u

/* The common registers: bytes. */
enum {
    COMMON_FEATURES_SELECT = 0x00,
    COMMON_FEATURES = 0x04,
    COMMON_DRIVER_FEATURES_SELECT = 0x08,
    COMMON_DRIVER_FEATURES = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY = 0x1e,
    COMMON_QUEUE_DESCRIPTORS = 0x20,
    COMMON_QUEUE_AVAILABLE = 0x28,
    COMMON_QUEUE_USED = 0x30,
};
#define NO_VECTOR 0xffffu

static volatile uint8_t *byte_at(volatile void *base, uint32_t offset)
{
    return (volatile uint8_t *)base + offset;
}

static volatile uint16_t *half_at(volatile void *base, uint32_t offset)
{
    return (volatile uint16_t *)byte_at(base, offset);
}

static volatile uint32_t *word_at(volatile void *base, uint32_t offset)
{
    return (volatile uint32_t *)byte_at(base, offset);
}

/* --- Finding the registers ---------------------------------------------------------------------------------------- */

/* Where `needed` bytes are that a capability tells of. NULL: not where anything is mapped. */
static volatile uint8_t *find(const struct virtio_place *place, uint32_t bar, uint32_t offset, uint32_t needed)
{
    if (bar >= sizeof(place->bars) / sizeof(place->bars[0]) || offset % sizeof(uint32_t) != 0)
        return NULL;
    const struct virtio_bar *mapped = &place->bars[bar];
    return needed <= mapped->bytes && offset <= mapped->bytes - needed ? mapped->base + offset : NULL;
}

/* Of several capabilities of one type the first that can be used is taken. */
static void take_capability(struct virtio_blk *device, const struct virtio_place *place, uint32_t at)
{
    volatile void *config = place->registers;
    const uint32_t bar = *byte_at(config, at + CAP_BAR), offset = *word_at(config, at + CAP_OFFSET);
    const uint32_t length = *word_at(config, at + CAP_LENGTH);

    switch (*byte_at(config, at + CAP_TYPE)) {
    case TYPE_COMMON:
        if (!device->pci.common && length >= COMMON_BYTES)
            device->pci.common = find(place, bar, offset, COMMON_BYTES);
        break;
    case TYPE_NOTIFY:
        if (device->pci.notify)
            break;
        device->pci.notify = find(place, bar, offset, length);
        device->pci.notify_bytes = length;
        device->pci.notify_step = *word_at(config, at + CAP_NOTIFY_STEP);
        break;
    case TYPE_DEVICE:
        if (!device->pci.config && length >= DEVICE_BYTES)
            device->pci.config = find(place, bar, offset, DEVICE_BYTES);
        break;
    default:
        break;
    }
}

/* Takes what virtio's capabilities say; returns where that of messages is, 0: nowhere. */
static uint32_t take_capabilities(struct virtio_blk *device, const struct virtio_place *place)
{
    volatile void *config = place->registers;
    uint32_t messages = 0;

    if (!(*half_at(config, CONFIG_STATUS) & STATUS_CAPABILITIES))
        return 0;
    uint32_t at = *byte_at(config, CONFIG_CAPABILITIES) & ~3u;
    for (unsigned i = 0; i < CAPABILITIES_MAX && at >= CONFIG_HEAD_BYTES && at <= CONFIG_BYTES - CAPABILITY_BYTES_MAX;
         i++) {
        const uint32_t kind = *byte_at(config, at);
        if (kind == CAPABILITY_VENDOR)
            take_capability(device, place, at);
        else if (kind == CAPABILITY_MSIX)
            messages = at;
        at = *byte_at(config, at + 1) & ~3u;
    }
    return messages;
}

/* Has the function send a message for the first of its vectors. EOPNOTSUPP: it cannot. */
static int set_message(const struct virtio_place *place, uint32_t capability)
{
    volatile void *config = place->registers;
    const uint32_t where = *word_at(config, capability + MSIX_TABLE);
    volatile uint8_t *table = find(place, where & MSIX_BAR, where & ~MSIX_BAR, MSIX_ENTRY_BYTES);

    if (!table)
        return -EOPNOTSUPP;
    volatile uint32_t *entry = word_at(table, 0);
    *half_at(config, capability + MSIX_CONTROL) = MSIX_ENABLE | MSIX_MASK;
    entry[ENTRY_CONTROL] = ENTRY_MASKED;
    entry[ENTRY_LOW] = (uint32_t)place->message_address;
    entry[ENTRY_HIGH] = (uint32_t)(place->message_address >> 32);
    entry[ENTRY_DATA] = place->message_data;
    entry[ENTRY_CONTROL] = 0;
    *half_at(config, capability + MSIX_CONTROL) = MSIX_ENABLE;
    return 0;
}

/* The function may not use memory before it was reset: set_queue() lets it. */
static int open_device(struct virtio_blk *device, const struct virtio_place *place)
{
    volatile void *config = place->registers;
    const uint16_t number = *half_at(config, CONFIG_DEVICE);

    device->registers = config;
    if (*half_at(config, CONFIG_VENDOR) != VENDOR || (number != DEVICE_BLOCK && number != DEVICE_BLOCK_BOTH))
        return -ENODEV;
    const uint32_t messages = take_capabilities(device, place);
    if (!device->pci.common || !device->pci.notify || !device->pci.config || !messages)
        return -EOPNOTSUPP;
    *half_at(config, CONFIG_COMMAND) = COMMAND_MEMORY | COMMAND_NO_LINE;
    return set_message(place, messages);
}

/* --- Using them --------------------------------------------------------------------------------------------------- */

static uint32_t status(const struct virtio_blk *device)
{
    return *byte_at(device->pci.common, COMMON_STATUS);
}

static void set_status(const struct virtio_blk *device, uint32_t bits)
{
    *byte_at(device->pci.common, COMMON_STATUS) = (uint8_t)bits;
}

static uint32_t features(const struct virtio_blk *device, uint32_t half)
{
    *word_at(device->pci.common, COMMON_FEATURES_SELECT) = half;
    return *word_at(device->pci.common, COMMON_FEATURES);
}

static void set_features(const struct virtio_blk *device, uint32_t half, uint32_t bits)
{
    *word_at(device->pci.common, COMMON_DRIVER_FEATURES_SELECT) = half;
    *word_at(device->pci.common, COMMON_DRIVER_FEATURES) = bits;
}

static uint32_t config_word(const struct virtio_blk *device, unsigned word)
{
    return *word_at(device->pci.config, word * (uint32_t)sizeof(uint32_t));
}

static uint32_t generation(const struct virtio_blk *device)
{
    return *byte_at(device->pci.common, COMMON_GENERATION);
}

static uint32_t queue_size_max(const struct virtio_blk *device)
{
    *half_at(device->pci.common, COMMON_QUEUE_SELECT) = 0;
    return *half_at(device->pci.common, COMMON_QUEUE_SIZE);
}

static void write_address(const struct virtio_blk *device, uint32_t place, uint64_t address)
{
    *word_at(device->pci.common, place) = (uint32_t)address;
    *word_at(device->pci.common, place + 4) = (uint32_t)(address >> 32);
}

static int set_queue(struct virtio_blk *device, const struct virtqueue *queue)
{
    const struct virtqueue_place place = virtqueue_place(queue);
    volatile uint8_t *common = device->pci.common;

    *half_at(common, COMMON_CONFIG_VECTOR) = NO_VECTOR;
    *half_at(common, COMMON_QUEUE_SELECT) = 0;
    *half_at(common, COMMON_QUEUE_SIZE) = queue->size;
    *half_at(common, COMMON_QUEUE_VECTOR) = 0;
    if (*half_at(common, COMMON_QUEUE_VECTOR) != 0)
        return -EIO;
    const uint64_t doorbell = (uint64_t)*half_at(common, COMMON_QUEUE_NOTIFY) * device->pci.notify_step;
    if (doorbell % sizeof(uint16_t) || doorbell + sizeof(uint16_t) > device->pci.notify_bytes)
        return -EIO;
    device->pci.doorbell = half_at(device->pci.notify, (uint32_t)doorbell);
    write_address(device, COMMON_QUEUE_DESCRIPTORS, place.descriptors);
    write_address(device, COMMON_QUEUE_AVAILABLE, place.available);
    write_address(device, COMMON_QUEUE_USED, place.used);
    *half_at(device->registers, CONFIG_COMMAND) = COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_LINE;
    *half_at(common, COMMON_QUEUE_ENABLE) = 1;
    return 0;
}

static void notify(const struct virtio_blk *device)
{
    *device->pci.doorbell = 0;
}

/* A message has nothing to withdraw. */
static void acknowledge(const struct virtio_blk *device)
{
    (void)device;
}

const struct virtio_transport virtio_pci = {
    .open = open_device,
    .status = status,
    .set_status = set_status,
    .features = features,
    .set_features = set_features,
    .config = config_word,
    .generation = generation,
    .queue_size_max = queue_size_max,
    .set_queue = set_queue,
    .notify = notify,
    .acknowledge = acknowledge,
};
