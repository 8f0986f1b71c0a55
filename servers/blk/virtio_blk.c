/* SPDX-License-Identifier: MIT */
/* The configuration of virtio-blk, and how a device is started, behind either transport. */
#include "virtio_blk.h"

#include <errno.h>
#include <quire/abi.h>

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
    device->transport->set_status(device, 0);
    for (unsigned i = 0; i < RESET_TRIES; i++) {
        if (device->transport->status(device) == 0)
            return 0;
    }
    return -EIO;
}

static void add_status(const struct virtio_blk *device, uint32_t bits)
{
    device->transport->set_status(device, device->transport->status(device) | bits);
}

/* Agrees on features. EOPNOTSUPP. */
static int negotiate(struct virtio_blk *device)
{
    const uint64_t high = device->transport->features(device, 1);
    const uint64_t offered = high << 32 | device->transport->features(device, 0);

    device->features = offered & FEATURES_WANTED;
    if (device->legacy)
        device->features &= ~FEATURE_VERSION_1;
    else if (!(device->features & FEATURE_VERSION_1))
        return -EOPNOTSUPP;
    device->transport->set_features(device, 0, (uint32_t)device->features);
    device->transport->set_features(device, 1, (uint32_t)(device->features >> 32));
    if (device->legacy)
        return 0;
    add_status(device, STATUS_FEATURES_OK);
    return device->transport->status(device) & STATUS_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

static uint32_t read_config(const struct virtio_blk *device, unsigned word)
{
    return device->transport->config(device, word);
}

/* Reads the size, whose two halves are to be of one time; a legacy device has no generation. 0: it changes all the time. */
static uint64_t read_sectors(const struct virtio_blk *device)
{
    for (unsigned i = 0; i < CONFIG_TRIES; i++) {
        const uint32_t before = device->transport->generation(device);
        const uint32_t high = read_config(device, CONFIG_SECTORS + 1), low = read_config(device, CONFIG_SECTORS);
        const uint32_t after = device->transport->generation(device);
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

int virtio_blk_start(struct virtio_blk *device, const struct virtio_transport *transport,
                     const struct virtio_place *place)
{
    *device = (struct virtio_blk){.transport = transport};
    int error = transport->open(device, place);
    if (!error)
        error = reset(device);
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
    const uint32_t most = device->transport->queue_size_max(device);
    uint16_t size = VIRTQUEUE_SIZE_MAX;

    while (size > most)
        size /= 2;
    return size;
}

int virtio_blk_run(struct virtio_blk *device, const struct virtqueue *queue)
{
    const int error = device->transport->set_queue(device, queue);

    if (error)
        return error;
    add_status(device, STATUS_DRIVER_OK);
    return device->transport->status(device) & STATUS_BROKEN ? -EIO : 0;
}

void virtio_blk_notify(const struct virtio_blk *device)
{
    device->transport->notify(device);
}

bool virtio_blk_acknowledge(const struct virtio_blk *device)
{
    device->transport->acknowledge(device);
    return !(device->transport->status(device) & STATUS_BROKEN);
}

int virtio_blk_stop(const struct virtio_blk *device)
{
    return reset(device);
}
