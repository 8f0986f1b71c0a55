/* SPDX-License-Identifier: MIT */
/*
 * From blocks of files to blocks of the device.
 */
#include <errno.h>

#include "ext2_internal.h"

/* libext2fs has it in a header of its own. */
extern int ext2fs_file_block_offset_too_big(ext2_filsys lib, struct ext2_inode *inode, blk64_t offset);

/* True if the device has such a block and it is none of those at its beginning. */
static bool is_block(const struct ext2 *ext2, uint64_t block)
{
    return block > ext2->lib->super->s_first_data_block && block < ext2fs_blocks_count(ext2->lib->super);
}

int ext2_map(struct ext2_node *node, uint64_t index, bool allocate, uint64_t *block)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    blk64_t found = 0;
    int flags = 0;

    errcode_t error = ext2fs_bmap2(ext2->lib, ino_of(node), NULL, ext2->lib_buffer, 0, index, &flags, &found);
    if (error)
        return ext2_error(error);
    if (found && !is_block(ext2, found))
        return -EIO;
    /* What was set aside and never written reads as zeros. */
    const bool unwritten = (flags & BMAP_RET_UNINIT) != 0;
    *block = unwritten ? 0 : found;
    if (*block || !allocate)
        return 0;
    /* What libext2fs has taken when it finds that there is no more would belong to nobody. */
    if (ext2_blocks_free(ext2) < EXT2_BLOCKS_AT_ONCE)
        return -ENOSPC;
    error = ext2fs_bmap2(ext2->lib, ino_of(node), NULL, ext2->lib_buffer, unwritten ? BMAP_SET : BMAP_ALLOC, index,
                         NULL, &found);
    if (error == EXT2_ET_FILE_TOO_BIG)
        return -EFBIG;
    if (error || !is_block(ext2, found))
        return ext2_fail(ext2, error ? ext2_error(error) : -EIO);
    *block = found;
    if (inode_is(&node->inode, MODE_FILE)) {
        /* The zeros that libext2fs has put there are not to be written over what will be. */
        ext2_cache_drop(&ext2->cache, found);
        node->allocated = true;
    }
    return 0;
}

int ext2_unmap_from(struct ext2_node *node, uint64_t first)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    return ext2_error(ext2fs_punch(ext2->lib, ino_of(node), NULL, ext2->lib_buffer, first, ~0ULL));
}

int ext2_size_check(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct ext2_inode disk;

    if (size == 0)
        return 0;
    const errcode_t error = ext2fs_read_inode(ext2->lib, ino_of(node), &disk);
    if (error)
        return ext2_error(error);
    return ext2fs_file_block_offset_too_big(ext2->lib, &disk, (size - 1) / ext2->block_bytes) ? -EFBIG : 0;
}
