/* SPDX-License-Identifier: MIT */
/*
 * Disks in memory for tests of the ext2 back end: made by mke2fs, checked by e2fsck, and able to fail.
 */
#ifndef UNIT_EXT2_IMAGE_H
#define UNIT_EXT2_IMAGE_H

#include "../../servers/fs/block_device.h"

#define IMAGE_NEVER UINT64_MAX

struct image {
    struct block_device device;
    char *bytes;
    uint64_t reads, writes, flushes;
    uint64_t fail_read, fail_write; /* the reads and writes that fail, counted from 0, and all behind them */
    uint64_t cut_write;             /* writes from this one on seem to be done, and are not: the power is gone */
};

/* Makes a disk of so many bytes by mke2fs; `options` are words for it, such as "-t ext2 -b 1024". With a script of
 * commands a directory is filled by the shell first, and becomes what the disk holds; NULL: nothing. */
void image_make(struct image *image, uint64_t bytes, const char *options, const char *script);

/* A copy, which does not fail. */
void image_copy(struct image *copy, const struct image *image);

void image_free(struct image *image);

/* True if the superblock names inodes that lost their last name while they were open. */
bool image_orphans(const struct image *image);

/* What e2fsck says: 0 if all is in order. With `repair` it repairs, and 1 means that it has. */
int image_fsck(struct image *image, bool repair);

#endif
