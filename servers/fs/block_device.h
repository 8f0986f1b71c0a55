/* SPDX-License-Identifier: MIT */
/*
 * A disk, or a part of one, as a file system sees it. Offsets and lengths are bytes, multiples of BLOCK_DEVICE_SECTOR,
 * and within the device. One thread; no lock.
 */
#ifndef FS_BLOCK_DEVICE_H
#define FS_BLOCK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_DEVICE_SECTOR 512u

struct block_device {
    uint64_t bytes;
    bool read_only;
    /* Each returns when it is done: 0 or a negative errno. An error leaves the range with old or new content. */
    int (*read)(struct block_device *device, uint64_t offset, void *data, size_t bytes);
    int (*write)(struct block_device *device, uint64_t offset, const void *data, size_t bytes);
    /* What was written before lasts when the power goes. */
    int (*flush)(struct block_device *device);
};

#endif
