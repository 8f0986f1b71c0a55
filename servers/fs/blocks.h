/* SPDX-License-Identifier: MIT */
/* The thread that tells the pager where pages of files are. It waits for the disk alone, never for the pager. */
#ifndef FS_BLOCKS_H
#define FS_BLOCKS_H

#include <base/check.h>
#include <stdint.h>

struct ext2;

/* Starts it; once. `ext2`: NULL if there is no file system on a disk: then it knows no files. `volume`: on which that is. EAGAIN,
 * ENOMEM. */
MUST_CHECK int blocks_start(struct ext2 *ext2, uint64_t volume);

#endif
