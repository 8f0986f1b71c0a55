/* SPDX-License-Identifier: MIT */
/* Registers of virtio-mmio and the configuration of virtio-blk. */
#include "virtio_blk.h"

#include <errno.h>
#include <quire/abi.h>

/* Registers, in words. */
enum mmio_register {
    MMIO_MAGIC = 0x000 / 4,
    MMIO_VERSION = 0x004 / 4,
    MMIO_DEVICE = 0x008 / 4,
    MMIO_DEVICE_FEATURES = 0x010 / 4,
    MMIO_DEVICE_FEATURES_SELECT = 0x014 / 4,
    MMIO_DRIVER_FEATURES = 0x020 / 4,
    MMIO_DRIVER_FEATURES_SELECT = 0x024 / 4,
    MMIO_LEGACY_PAGE_SIZE = 0x028 / 4,
    MMIO_QUEUE_SELECT = 0x030 / 4,
    MMIO_QUEUE_SIZE_MAX = 0x034 / 4,
    MMIO_QUEUE_SIZE = 0x038 / 4,
    MMIO_LEGACY_QUEUE_ALIGNMENT = 0x03c / 4,
    MMIO_LEGACY_QUEUE_PFN = 0x040 / 4,
    MMIO_QUEUE_READY = 0x044 / 4,
    MMIO_QUEUE_NOTIFY = 0x050 / 4,
    MMIO_INTERRUPT_STATUS = 0x060 / 4,
    MMIO_INTERRUPT_ACKNOWLEDGE = 0x064 / 4,
    MMIO_STATUS = 0x070 / 4,
    MMIO_QUEUE_DESCRIPTORS = 0x080 / 4,
    MMIO_QUEUE_AVAILABLE = 0x090 / 4,
    MMIO_QUEUE_USED = 0x0a0 / 4,
    MMIO_CONFIG_GENERATION = 0x0fc / 4,
    MMIO_CONFIG = 0x100 / 4,
};

#define MAGIC          0x74726976u
#define VERSION_LEGACY 1u
#define VERSION_MODERN 2u
#define DEVICE_BLOCK   2u

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_BROKEN = 64 };

/* The configuration of a block device, in words of its space. */
enum { CONFIG_SECTORS = 0, CONFIG_SEGMENT_BYTES = 2, CONFIG_SEGMENTS = 3, CONFIG_BLOCK_BYTES = 5 };

#define FEATURE_SEGMENT_BYTES (1UL << 1)
#define FEATURE_SEGMENTS      (1UL << 2)
#define FEATURE_VERSION_1     (1UL << 32)
#define FEATURES_WANTED                                                                                                \
    (VIRTIO_BLK_READ_ONLY | VIRTIO_BLK_BLOCK_SIZE | VIRTIO_BLK_FLUSH | VIRTIO_BLK_INDIRECT | FEATURE_SEGMENT_BYTES |   \
     FEATURE_SEGMENTS | FEATURE_VERSION_1)

#define SECTOR_BYTES    512u
#define BLOCK_BYTES_MAX 4096u
#define RESET_TRIES     1000000u
#define CONFIG_TRIES    100u

static int reset(const struct virtio_blk *device)
{
    device->registers[MMIO_STATUS] = 0;
    for (unsigned i = 0; i < RESET_TRIES; i++) {
        if (device->registers[MMIO_STATUS] == 0)
            return 0;
    }
    return -EIO;
}

static void add_status(const struct virtio_blk *device, uint32_t bits)
{
    device->registers[MMIO_STATUS] = device->registers[MMIO_STATUS] | bits;
}

static uint64_t read_features(const struct virtio_blk *device)
{
    device->registers[MMIO_DEVICE_FEATURES_SELECT] = 1;
    const uint64_t high = device->registers[MMIO_DEVICE_FEATURES];
    device->registers[MMIO_DEVICE_FEATURES_SELECT] = 0;
    return high << 32 | device->registers[MMIO_DEVICE_FEATURES];
}

static void write_features(const struct virtio_blk *device)
{
    device->registers[MMIO_DRIVER_FEATURES_SELECT] = 0;
    device->registers[MMIO_DRIVER_FEATURES] = (uint32_t)device->features;
    device->registers[MMIO_DRIVER_FEATURES_SELECT] = 1;
    device->registers[MMIO_DRIVER_FEATURES] = (uint32_t)(device->features >> 32);
}

/* Agrees on features. EOPNOTSUPP. */
static int negotiate(struct virtio_blk *device)
{
    const uint64_t offered = read_features(device);

    device->features = offered & FEATURES_WANTED;
    if (device->legacy)
        device->features &= ~FEATURE_VERSION_1;
    else if (!(device->features & FEATURE_VERSION_1))
        return -EOPNOTSUPP;
    write_features(device);
    if (device->legacy)
        return 0;
    add_status(device, STATUS_FEATURES_OK);
    return device->registers[MMIO_STATUS] & STATUS_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

static uint32_t read_config(const struct virtio_blk *device, unsigned word)
{
    return device->registers[MMIO_CONFIG + word];
}

/* Reads the size, whose two halves are to be of one time; a legacy device has no generation. 0: it changes all the time. */
static uint64_t read_sectors(const struct virtio_blk *device)
{
    for (unsigned i = 0; i < CONFIG_TRIES; i++) {
        const uint32_t before = device->legacy ? 0 : device->registers[MMIO_CONFIG_GENERATION];
        const uint32_t high = read_config(device, CONFIG_SECTORS + 1), low = read_config(device, CONFIG_SECTORS);
        const uint32_t after = device->legacy ? 0 : device->registers[MMIO_CONFIG_GENERATION];
        if (before == after && read_config(device, CONFIG_SECTORS + 1) == high)
            return (uint64_t)high << 32 | low;
    }
    return 0;
}

/* EOPNOTSUPP: the device is of no use here. */
static int configure(struct virtio_blk *device)
{
    device->sectors = read_sectors(device);
    device->block_bytes = SECTOR_BYTES;
    device->segment_bytes_max = UINT32_MAX;
    if (device->features & VIRTIO_BLK_BLOCK_SIZE)
        device->block_bytes = read_config(device, CONFIG_BLOCK_BYTES);
    if (device->features & FEATURE_SEGMENT_BYTES)
        device->segment_bytes_max = read_config(device, CONFIG_SEGMENT_BYTES);
    const uint32_t segments =
        device->features & FEATURE_SEGMENTS ? read_config(device, CONFIG_SEGMENTS) : VIRTQUEUE_SEGMENTS_MAX;
    /* Header and status are segments, too, which the device does not count. */
    const bool good = device->block_bytes >= SECTOR_BYTES && device->block_bytes <= BLOCK_BYTES_MAX &&
                      (device->block_bytes & (device->block_bytes - 1)) == 0 &&
                      device->segment_bytes_max >= PAGE_SIZE && segments >= VIRTQUEUE_SEGMENTS_MAX - 2 &&
                      device->sectors <= UINT64_MAX / SECTOR_BYTES;
    return good ? 0 : -EOPNOTSUPP;
}

int virtio_blk_start(struct virtio_blk *device, volatile void *registers)
{
    *device = (struct virtio_blk){.registers = registers};
    const uint32_t version = device->registers[MMIO_VERSION];
    if (device->registers[MMIO_MAGIC] != MAGIC || device->registers[MMIO_DEVICE] != DEVICE_BLOCK ||
        (version != VERSION_LEGACY && version != VERSION_MODERN))
        return -ENODEV;
    device->legacy = version == VERSION_LEGACY;
    int error = reset(device);
    if (error)
        return error;
    add_status(device, STATUS_ACKNOWLEDGE);
    add_status(device, STATUS_DRIVER);
    error = negotiate(device);
    if (!error)
        error = configure(device);
    if (error && reset(device))
        return -EIO;
    return error;
}

uint16_t virtio_blk_queue_size(const struct virtio_blk *device)
{
    device->registers[MMIO_QUEUE_SELECT] = 0;
    const uint32_t most = device->registers[MMIO_QUEUE_SIZE_MAX];
    uint16_t size = VIRTQUEUE_SIZE_MAX;

    while (size > most)
        size /= 2;
    return size;
}

static void write_address(const struct virtio_blk *device, enum mmio_register place, uint64_t address)
{
    device->registers[place] = (uint32_t)address;
    device->registers[place + 1] = (uint32_t)(address >> 32);
}

int virtio_blk_run(const struct virtio_blk *device, const struct virtqueue *queue)
{
    const struct virtqueue_place place = virtqueue_place(queue);

    device->registers[MMIO_QUEUE_SELECT] = 0;
    device->registers[MMIO_QUEUE_SIZE] = queue->size;
    if (device->legacy) {
        if (place.descriptors >> PAGE_SHIFT > UINT32_MAX)
            return -EIO;
        device->registers[MMIO_LEGACY_PAGE_SIZE] = PAGE_SIZE;
        device->registers[MMIO_LEGACY_QUEUE_ALIGNMENT] = VIRTQUEUE_ALIGNMENT;
        device->registers[MMIO_LEGACY_QUEUE_PFN] = (uint32_t)(place.descriptors >> PAGE_SHIFT);
    } else {
        write_address(device, MMIO_QUEUE_DESCRIPTORS, place.descriptors);
        write_address(device, MMIO_QUEUE_AVAILABLE, place.available);
        write_address(device, MMIO_QUEUE_USED, place.used);
        device->registers[MMIO_QUEUE_READY] = 1;
    }
    add_status(device, STATUS_DRIVER_OK);
    return device->registers[MMIO_STATUS] & STATUS_BROKEN ? -EIO : 0;
}

void virtio_blk_notify(const struct virtio_blk *device)
{
    device->registers[MMIO_QUEUE_NOTIFY] = 0;
}

bool virtio_blk_acknowledge(const struct virtio_blk *device)
{
    const uint32_t status = device->registers[MMIO_INTERRUPT_STATUS];

    if (status)
        device->registers[MMIO_INTERRUPT_ACKNOWLEDGE] = status;
    return !(device->registers[MMIO_STATUS] & STATUS_BROKEN);
}

int virtio_blk_stop(const struct virtio_blk *device)
{
    return reset(device);
}
