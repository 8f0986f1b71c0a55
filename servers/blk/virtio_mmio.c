/* SPDX-License-Identifier: MIT */
/* The registers of virtio-mmio (virtio 1.2, section 4.2), those of its first form included. */
#include <errno.h>
#include <quire/abi.h>

#include "virtio_blk.h"

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

static int open_device(struct virtio_blk *device, const struct virtio_place *place)
{
    device->registers = place->registers;
    const uint32_t version = device->registers[MMIO_VERSION];
    if (device->registers[MMIO_MAGIC] != MAGIC || device->registers[MMIO_DEVICE] != DEVICE_BLOCK ||
        (version != VERSION_LEGACY && version != VERSION_MODERN))
        return -ENODEV;
    device->legacy = version == VERSION_LEGACY;
    return 0;
}

static uint32_t status(const struct virtio_blk *device)
{
    return device->registers[MMIO_STATUS];
}

static void set_status(const struct virtio_blk *device, uint32_t bits)
{
    device->registers[MMIO_STATUS] = bits;
}

static uint32_t features(const struct virtio_blk *device, uint32_t half)
{
    device->registers[MMIO_DEVICE_FEATURES_SELECT] = half;
    return device->registers[MMIO_DEVICE_FEATURES];
}

static void set_features(const struct virtio_blk *device, uint32_t half, uint32_t bits)
{
    device->registers[MMIO_DRIVER_FEATURES_SELECT] = half;
    device->registers[MMIO_DRIVER_FEATURES] = bits;
}

static uint32_t config(const struct virtio_blk *device, unsigned word)
{
    return device->registers[MMIO_CONFIG + word];
}

static uint32_t generation(const struct virtio_blk *device)
{
    return device->legacy ? 0 : device->registers[MMIO_CONFIG_GENERATION];
}

static uint32_t queue_size_max(const struct virtio_blk *device)
{
    device->registers[MMIO_QUEUE_SELECT] = 0;
    return device->registers[MMIO_QUEUE_SIZE_MAX];
}

static void write_address(const struct virtio_blk *device, enum mmio_register place, uint64_t address)
{
    device->registers[place] = (uint32_t)address;
    device->registers[place + 1] = (uint32_t)(address >> 32);
}

static int set_queue(struct virtio_blk *device, const struct virtqueue *queue)
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
        return 0;
    }
    write_address(device, MMIO_QUEUE_DESCRIPTORS, place.descriptors);
    write_address(device, MMIO_QUEUE_AVAILABLE, place.available);
    write_address(device, MMIO_QUEUE_USED, place.used);
    device->registers[MMIO_QUEUE_READY] = 1;
    return 0;
}

static void notify(const struct virtio_blk *device)
{
    device->registers[MMIO_QUEUE_NOTIFY] = 0;
}

static void acknowledge(const struct virtio_blk *device)
{
    const uint32_t bits = device->registers[MMIO_INTERRUPT_STATUS];

    if (bits)
        device->registers[MMIO_INTERRUPT_ACKNOWLEDGE] = bits;
}

const struct virtio_transport virtio_mmio = {
    .open = open_device,
    .status = status,
    .set_status = set_status,
    .features = features,
    .set_features = set_features,
    .config = config,
    .generation = generation,
    .queue_size_max = queue_size_max,
    .set_queue = set_queue,
    .notify = notify,
    .acknowledge = acknowledge,
};
