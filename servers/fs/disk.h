/* SPDX-License-Identifier: MIT */
/*
 * A volume of the block server as a block device.
 */
#ifndef FS_DISK_H
#define FS_DISK_H

#include <base/check.h>
#include <quire/dma.h>

#include "block_device.h"

struct disk {
    struct block_device device;
    uint64_t volume;          /* the block server's number */
    struct dma_memory memory; /* through which all goes */
};

/* Opens the volume that the block server finds by that name. ENODEV: there is no block server; ENOENT: no such volume;
 * ENOMEM. */
MUST_CHECK int disk_open(struct disk *disk, const char *name);

#endif
