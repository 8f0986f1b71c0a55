/* SPDX-License-Identifier: MIT */
/*
 * What is done to files and directories, with the lock taken; what is about content takes it itself.
 */
#include "ext2_internal.h"

static int lookup_with_lock(struct inode *directory, const char *name, size_t length, struct inode **inode)
{
    ext2_lock(ext2_of(directory));
    const int error = ext2_lookup(directory, name, length, inode);
    ext2_unlock(ext2_of(directory));
    return error;
}

static int list_with_lock(struct inode *directory, uint64_t cookie, list_function function, void *argument)
{
    ext2_lock(ext2_of(directory));
    const int error = ext2_list(directory, cookie, function, argument);
    ext2_unlock(ext2_of(directory));
    return error;
}

static int create_with_lock(struct inode *directory, const char *name, size_t length, const struct new_inode *new,
                            struct inode **inode)
{
    int error;
    do {
        ext2_lock(ext2_of(directory));
        error = ext2_create(directory, name, length, new, inode);
        ext2_unlock(ext2_of(directory));
    } while (ext2_sync_made_room(ext2_of(directory), error));
    return error;
}

static int link_with_lock(struct inode *directory, const char *name, size_t length, struct inode *inode)
{
    int error;
    do {
        ext2_lock(ext2_of(directory));
        error = ext2_link(directory, name, length, inode);
        ext2_unlock(ext2_of(directory));
    } while (ext2_sync_made_room(ext2_of(directory), error));
    return error;
}

static int unlink_with_lock(struct inode *directory, const char *name, size_t length, struct inode *inode)
{
    /* What loses its last name ends as if it were open: when nobody maps it any more. */
    inode_get(inode);
    ext2_lock(ext2_of(directory));
    const int error = ext2_unlink(directory, name, length, inode);
    ext2_unlock(ext2_of(directory));
    inode_put(inode);
    return error;
}

static int rename_with_lock(struct inode *from, const char *from_name, size_t from_length, struct inode *inode,
                            struct inode *to, const char *to_name, size_t to_length, struct inode *replaced)
{
    if (replaced)
        inode_get(replaced);
    int error = ext2_rename_waits(from, to) ? ext2_sync(from->fs, NULL, SYNC_DESCRIPTION) : 0;
    do {
        if (error < 0)
            break;
        ext2_lock(ext2_of(from));
        error = ext2_rename(from, from_name, from_length, inode, to, to_name, to_length, replaced);
        ext2_unlock(ext2_of(from));
    } while (ext2_sync_made_room(ext2_of(from), error));
    if (replaced)
        inode_put(replaced);
    return error;
}

static long readlink_with_lock(struct inode *inode, char *target, size_t bytes)
{
    ext2_lock(ext2_of(inode));
    const long length = ext2_readlink(inode, target, bytes);
    ext2_unlock(ext2_of(inode));
    return length;
}

static void touched_with_lock(struct inode *inode)
{
    ext2_lock(ext2_of(inode));
    ext2_touched(inode);
    ext2_unlock(ext2_of(inode));
}

static uint64_t stored_with_lock(struct inode *inode)
{
    ext2_lock(ext2_of(inode));
    const uint64_t bytes = ext2_stored(inode);
    ext2_unlock(ext2_of(inode));
    return bytes;
}

static void tell_volume(struct ext2 *ext2, struct volume *volume)
{
    struct ext2_super_block *super = ext2->lib->super;
    const uint64_t left = ext2fs_free_blocks_count(super);

    *volume = (struct volume){.block_bytes = ext2->block_bytes,
                              .blocks = ext2fs_blocks_count(super),
                              .free_blocks = left,
                              .available_blocks = left > EXT2_BLOCKS_AT_ONCE ? left - EXT2_BLOCKS_AT_ONCE : 0,
                              .inodes = super->s_inodes_count,
                              .free_inodes = super->s_free_inodes_count};
}

static void volume_with_lock(struct file_system *fs, struct volume *volume)
{
    struct ext2 *ext2 = CONTAINER_OF(fs, struct ext2, fs);

    ext2_lock(ext2);
    tell_volume(ext2, volume);
    ext2_unlock(ext2);
}

const struct file_system_operations ext2_operations = {
    .lookup = lookup_with_lock,
    .list = list_with_lock,
    .create = create_with_lock,
    .link = link_with_lock,
    .unlink = unlink_with_lock,
    .rename = rename_with_lock,
    .readlink = readlink_with_lock,
    .release = ext2_release,
    .read = ext2_read,
    .write = ext2_write,
    .truncate = ext2_truncate,
    .object = ext2_object,
    .errors = ext2_errors,
    .advise = ext2_advise,
    .touched = touched_with_lock,
    .stored = stored_with_lock,
    .sync = ext2_sync,
    .volume = volume_with_lock,
    .settle = ext2_settle,
};
