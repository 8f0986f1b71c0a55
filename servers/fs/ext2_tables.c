/* SPDX-License-Identifier: MIT */
/*
 * Which blocks are tables: an inode must not reach the device before a block that leads to others of its file, so the cache
 * has to tell the two apart.
 */
#include "ext2_internal.h"

int ext2_tables_init(struct ext2 *ext2)
{
    const errcode_t error = ext2fs_allocate_block_bitmap(ext2->lib, "tables", &ext2->tables);

    if (error)
        return ext2_error(error);
    for (dgrp_t group = 0; group < ext2->lib->group_desc_count; group++) {
        ext2fs_reserve_super_and_bgd(ext2->lib, group, ext2->tables);
        ext2fs_mark_block_bitmap2(ext2->tables, ext2fs_block_bitmap_loc(ext2->lib, group));
        ext2fs_mark_block_bitmap2(ext2->tables, ext2fs_inode_bitmap_loc(ext2->lib, group));
        ext2fs_mark_block_bitmap_range2(ext2->tables, ext2fs_inode_table_loc(ext2->lib, group),
                                        ext2->lib->inode_blocks_per_group);
    }
    return 0;
}

void ext2_tables_destroy(struct ext2 *ext2)
{
    if (ext2->tables)
        ext2fs_free_block_bitmap(ext2->tables);
    ext2->tables = NULL;
}

void ext2_note_tables(struct ext2 *ext2, uint64_t offset, uint64_t bytes)
{
    if (!ext2->tables)
        return;
    for (uint64_t block = offset / ext2->block_bytes; block * ext2->block_bytes < offset + bytes; block++)
        if (block >= ext2->lib->super->s_first_data_block && ext2fs_test_block_bitmap2(ext2->tables, block))
            ext2_cache_set_turn(&ext2->cache, block, EXT2_TURN_TABLES);
}
