/* SPDX-License-Identifier: MIT */
/*
 * Which blocks of a device hold pages of a file: what the pager asks, from another thread than that which serves files.
 * Takes the file system's lock, and waits for nobody but the device. Files are named by cookies.
 */
#ifndef FS_EXT2_BLOCKS_H
#define FS_EXT2_BLOCKS_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ext2;

#define EXT2_RUN_HOLE   UINT64_MAX
#define EXT2_RUN_SERVED (UINT64_MAX - 1)

/* Pages that follow each other in the file and on the device. */
struct ext2_run {
    uint64_t block; /* of the first, in pages; HOLE: nowhere; SERVED: not as whole pages, so by ext2_blocks_read() */
    uint64_t count;
};

/*
 * Tells where pages [index, index + count) of a file are, as many as fit; the first of them at least. `allocate`: they are
 * going to be written, and those that have no block get one. ENOENT: the cookie is no file's; EIO; ENOSPC; EROFS.
 */
MUST_CHECK int ext2_blocks_map(struct ext2 *ext2, uint64_t cookie, uint64_t index, uint64_t count, bool allocate,
                               struct ext2_run *runs, size_t max, size_t *found);

/* Reads or writes what blocks hold, `offset` and `bytes` in whole blocks. What the file has nowhere reads as zeros, and
 * zeros that are written there stay nowhere; what lies behind the file's end is left out. Errors as above. */
MUST_CHECK int ext2_blocks_read(struct ext2 *ext2, uint64_t cookie, uint64_t offset, void *data, size_t bytes);
MUST_CHECK int ext2_blocks_write(struct ext2 *ext2, uint64_t cookie, uint64_t offset, const void *data, size_t bytes);

#endif
