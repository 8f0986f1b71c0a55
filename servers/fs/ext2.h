/* SPDX-License-Identifier: MIT */
/*
 * File systems of the ext2 family on a block device: ext2, and ext4 without a journal, by way of libext2fs. Pure but for
 * the device and the pages of files (ext2_pages.h). One thread does what is in inode.h and tree.h, another what is in
 * ext2_blocks.h.
 *
 * Every byte read from the device is hostile: what makes no sense gives EIO. When a change cannot be carried out as a
 * whole, because the device failed or because what is on it makes no sense, the file system turns read-only and
 * forgets what it has not written, so that the device stays as the last sync left it.
 *
 * Nothing that describes the file system is written before a sync: then content first, then what refers to it. In
 * between the device holds the file system as it was at the last sync.
 */
#ifndef FS_EXT2_H
#define FS_EXT2_H

#include "block_device.h"
#include "inode.h"

struct ext2;

struct ext2_options {
    uint64_t (*now)(void);
    bool read_only;
};

/*
 * Mounts what is on the device. Read-only also if the device is, or if what is on it has features that only readers may
 * do without. EINVAL: no such file system, or one with features that are not known; EIO: it makes no sense; ENOMEM.
 */
MUST_CHECK int ext2_mount(struct block_device *device, const struct ext2_options *options, struct ext2 **ext2);

/* Syncs and frees everything; returns the sync's error. No inode is referenced any more. */
MUST_CHECK int ext2_unmount(struct ext2 *ext2);

struct file_system *ext2_file_system(struct ext2 *ext2);

/* True if something has changed since the last sync. */
bool ext2_is_dirty(const struct ext2 *ext2);

/* True if so much is in memory that file_system_operations.settle() has something to do. */
bool ext2_is_crowded(const struct ext2 *ext2);

/* True if what is in memory agrees with itself. */
bool ext2_check(const struct ext2 *ext2);

#endif
