/* SPDX-License-Identifier: MIT */
/*
 * Blocks that were given back. Until the next sync what is on the device says that they belong to whom they did, and content
 * is written whenever it suits the pager. So they stay marked as used, and are free with the sync.
 */
#include "ext2_internal.h"

static void note_block(struct ext2 *ext2, blk64_t block)
{
    ext2fs_mark_block_bitmap2(ext2->lib->block_map, block);
    ext2fs_mark_block_bitmap2(ext2->freed, block);
    ext2->freed_count++;
}

/* libext2fs has changed its notes of a block. */
static void block_changed(ext2_filsys lib, blk64_t block, int change)
{
    if (change < 0)
        note_block(lib->priv_data, block);
}

static void blocks_changed(ext2_filsys lib, blk64_t first, blk_t count, int change)
{
    for (blk_t i = 0; change < 0 && i < count; i++)
        note_block(lib->priv_data, first + i);
}

int ext2_freed_init(struct ext2 *ext2)
{
    const errcode_t error = ext2fs_allocate_block_bitmap(ext2->lib, "freed", &ext2->freed);

    if (error)
        return ext2_error(error);
    ext2->lib->priv_data = ext2;
    ext2fs_set_block_alloc_stats_callback(ext2->lib, block_changed, NULL);
    ext2fs_set_block_alloc_stats_range_callback(ext2->lib, blocks_changed, NULL);
    return 0;
}

void ext2_freed_destroy(struct ext2 *ext2)
{
    if (ext2->freed)
        ext2fs_free_block_bitmap(ext2->freed);
    ext2->freed = NULL;
}

uint64_t ext2_blocks_free(const struct ext2 *ext2)
{
    const uint64_t left = ext2fs_free_blocks_count(ext2->lib->super);

    return left > ext2->freed_count ? left - ext2->freed_count : 0;
}

/* Marks all of them in the bitmap that is written. */
static void mark_all(struct ext2 *ext2, bool used)
{
    const blk64_t end = ext2fs_blocks_count(ext2->lib->super) - 1;
    blk64_t block = ext2->lib->super->s_first_data_block;

    while (block <= end && ext2fs_find_first_set_block_bitmap2(ext2->freed, block, end, &block) == 0) {
        if (used)
            ext2fs_mark_block_bitmap2(ext2->lib->block_map, block);
        else
            ext2fs_unmark_block_bitmap2(ext2->lib->block_map, block);
        block++;
    }
}

void ext2_freed_release(struct ext2 *ext2)
{
    if (ext2->freed_count > 0)
        mark_all(ext2, false);
}

void ext2_freed_settle(struct ext2 *ext2, bool written)
{
    if (ext2->freed_count == 0)
        return;
    if (!written) {
        mark_all(ext2, true);
        return;
    }
    ext2fs_clear_block_bitmap(ext2->freed);
    ext2->freed_count = 0;
}
