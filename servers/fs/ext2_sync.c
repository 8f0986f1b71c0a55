/* SPDX-License-Identifier: MIT */
/*
 * The order in which changes reach the device. Content of files comes first. Then the superblock says that the file
 * system is not in order, all else is written, and it says that it is in order again; each step waits until the one
 * before lasts. Between two syncs the device therefore has a file system in order, the one of the last sync.
 *
 * While all else is written, the device has some of it. There is no journal, and whoever repairs a file system clears inodes
 * whose blocks make no sense and removes names that mean nothing. So a block that leads to others of a file is written before the
 * inode that says so; a name that was given to another inode is written when the inode is there, what an old name says is
 * taken away behind the new one, and an inode whose name means another goes when that name has been written.
 */
#include <errno.h>

#include "ext2_internal.h"

#define SUPERBLOCK_PLACE 1024u
#define TRIES_MAX        4u

/* Applies a function to all inodes in memory; the first error, after all have had their turn. */
static int for_all(struct ext2 *ext2, int (*function)(struct ext2_node *node))
{
    int first = 0;

    for (size_t i = 0; i < EXT2_TABLE; i++) {
        LIST_FOR_EACH (link, &ext2->table[i]) {
            const int error = function(CONTAINER_OF(link, struct ext2_node, chain));
            first = first < 0 ? first : error;
        }
    }
    return first;
}

static int write_if_dirty(struct ext2_node *node)
{
    if (node->replaced)
        return 0;
    /* An orphan tells which is the next one, whatever has become of itself. */
    return node->dirty || node->orphan ? ext2_node_write(node) : 0;
}

static void note_orphans(struct ext2 *ext2)
{
    const struct list *first = list_first(&ext2->orphans);
    const uint32_t ino = first ? ino_of(CONTAINER_OF(first, struct ext2_node, member)) : 0;

    if (ext2->lib->super->s_last_orphan == ino)
        return;
    ext2->lib->super->s_last_orphan = ino;
    ext2fs_mark_super_dirty(ext2->lib);
}

/* Writes the superblock, with or without saying that all is in order. */
static int write_super(struct ext2 *ext2, bool valid)
{
    if (valid)
        ext2->lib->super->s_state |= EXT2_VALID_FS;
    else
        ext2->lib->super->s_state &= (uint16_t)~EXT2_VALID_FS;
    ext2fs_mark_super_dirty(ext2->lib);
    const errcode_t error = ext2fs_flush2(ext2->lib, EXT2_FLAG_FLUSH_NO_SYNC);
    if (error)
        return ext2_error(error);
    const int failed = ext2_cache_write_block(&ext2->cache, SUPERBLOCK_PLACE / ext2->block_bytes);
    return failed < 0 ? failed : ext2->device->flush(ext2->device) < 0 ? -EIO : 0;
}

/* Writes all but the superblock, in turns; if no names were given anew, inodes and names together. */
static int write_rest(struct ext2 *ext2)
{
    unsigned turn = EXT2_TURN_FIRST;

    for (;;) {
        const long written =
            ext2_cache_write_others(&ext2->cache, SUPERBLOCK_PLACE / ext2->block_bytes, (enum ext2_turn)turn);
        if (written < 0)
            return (int)written;
        if ((written > 0 || turn == EXT2_TURN_LAST) && ext2->device->flush(ext2->device) < 0)
            return -EIO;
        if (turn == EXT2_TURN_LAST)
            return 0;
        turn = ext2->renamed ? turn + 1 : EXT2_TURN_LAST;
    }
}

static int delete_if_unused(struct ext2_node *node)
{
    const bool used = node->inode.references > 0 || ext2_pages_are_open(&node->pages);

    return used ? 0 : ext2_node_delete(node);
}

/* Gives back what was replaced, or makes orphans of it, when the names have been written. */
static int write_replaced(struct ext2 *ext2)
{
    int error = 0;

    LIST_FOR_EACH_SAFE(link, &ext2->replaced)
    {
        const int bad = delete_if_unused(CONTAINER_OF(link, struct ext2_node, member));
        if (bad < 0)
            return bad;
    }
    ext2_orphans_join(ext2);
    error = for_all(ext2, write_if_dirty);
    if (error < 0)
        return error;
    note_orphans(ext2);
    ext2_freed_release(ext2);
    error = write_super(ext2, false);
    return error < 0 ? error : write_rest(ext2);
}

/* Writes what describes the file system. */
static int write_metadata(struct ext2 *ext2)
{
    int error = write_super(ext2, false);

    if (error == 0)
        error = write_rest(ext2);
    if (error == 0) {
        ext2->renamed = false;
        ext2->moved_from = ext2->moved_to = NULL;
        error = ext2->replaced_count > 0 ? write_replaced(ext2) : 0;
    }
    /* One that was not in order when it was mounted is no better now. */
    if (error == 0 && ext2->was_valid)
        error = write_super(ext2, true);
    return error;
}

static bool has_changes(const struct ext2 *ext2)
{
    return ext2->cache.dirty > 0 || ext2->replaced_count > 0 ||
           (ext2->lib->flags & (EXT2_FLAG_DIRTY | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY)) != 0;
}

/* --- Content --- */

int ext2_content_write(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    const bool written = node->written;

    if (!ext2_pages_are_open(&node->pages))
        return 0;
    node->written = false;
    ext2_lock(ext2);
    node->allocated = false;
    ext2_unlock(ext2);
    const int error = ext2_pages_sync(&node->pages);
    if (error < 0)
        node->written = written;
    return error;
}

/* The same for who asks for that file: what was given back lately is room for it. */
static int write_with_room(struct ext2_node *node)
{
    int error;
    do {
        error = ext2_content_write(node);
    } while (ext2_sync_made_room(ext2_of(&node->inode), error));
    return error;
}

static int write_if_written(struct ext2_node *node)
{
    return node->written || node->shared_writable ? ext2_content_write(node) : 0;
}

/* Content for which blocks were found: what says so may only be written behind it. That it cannot be written is told to who
 * asks for that file. */
static int write_if_allocated(struct ext2_node *node)
{
    if (node->allocated)
        (void)!ext2_content_write(node);
    return 0;
}

static int count_allocated(struct ext2_node *node)
{
    return node->allocated ? -EBUSY : 0;
}

/* Takes the lock when all content is on the device for which blocks were found, but for what the pager finds some for
 * again and again. */
static void lock_written(struct ext2 *ext2)
{
    for (unsigned tries = 0;; tries++) {
        (void)!for_all(ext2, write_if_allocated);
        ext2_lock(ext2);
        if (tries == TRIES_MAX || for_all(ext2, count_allocated) == 0)
            return;
        ext2_unlock(ext2);
    }
}

/* --- All of it --- */

/* Writes what describes the file system, if it has changed; flushes what was written before in any case. */
static int describe(struct ext2 *ext2)
{
    if (ext2->fs.read_only)
        return -EIO;
    ext2_begin(ext2);
    ext2->cache.budget = UINT64_MAX;
    const int error = for_all(ext2, write_if_dirty);
    if (error < 0)
        return error;
    note_orphans(ext2);
    if (ext2->device->flush(ext2->device) < 0)
        return -EIO;
    if (!has_changes(ext2))
        return 0;
    ext2_freed_release(ext2);
    const int failed = write_metadata(ext2);
    ext2_freed_settle(ext2, failed == 0);
    return failed;
}

static int flush(struct ext2 *ext2)
{
    ext2_lock(ext2);
    const int error = ext2->device->flush(ext2->device) < 0 ? -EIO : 0;
    ext2_unlock(ext2);
    return error;
}

int ext2_sync(struct file_system *fs, struct inode *inode, enum sync_what what)
{
    struct ext2 *ext2 = CONTAINER_OF(fs, struct ext2, fs);
    int content = 0;

    if (fs->read_only)
        return 0;
    if (inode)
        content = write_with_room(node_of(inode));
    else if (what == SYNC_WHOLE)
        content = for_all(ext2, write_if_written);
    if (inode && what == SYNC_DATA && !node_of(inode)->resized && !has_changes(ext2)) {
        const int error = flush(ext2);
        return content < 0 ? content : error;
    }
    lock_written(ext2);
    const int error = describe(ext2);
    ext2_unlock(ext2);
    return error < 0 ? error : content;
}

bool ext2_sync_made_room(struct ext2 *ext2, long error)
{
    return error == -ENOSPC && (ext2->freed_count > 0 || ext2->replaced_count > 0) &&
           ext2_sync(&ext2->fs, NULL, SYNC_DESCRIPTION) == 0 && ext2->freed_count == 0;
}

/* --- Orphans of an earlier mount --- */

/* Gives one back, and tells which is the next. */
static int recover(struct ext2 *ext2, ext2_ino_t ino, ext2_ino_t *next)
{
    struct ext2_inode disk;
    struct ext2_node *node;

    if (ino < EXT2_FIRST_INODE(ext2->lib->super) || ino > ext2->lib->super->s_inodes_count ||
        !ext2fs_test_inode_bitmap2(ext2->lib->inode_map, ino))
        return -EIO;
    const errcode_t error = ext2fs_read_inode(ext2->lib, ino, &disk);
    if (error)
        return ext2_error(error);
    /* One that has names was to be cut only, which nobody does here. */
    if (disk.i_links_count != 0)
        return -EIO;
    *next = disk.i_dtime;
    node = ext2_node_new(ext2, ino);
    if (!node)
        return -ENOMEM;
    node->inode.mode = disk.i_mode;
    node->inode.size = disk.i_size;
    return ext2_node_delete(node);
}

int ext2_orphans_recover(struct ext2 *ext2)
{
    ext2_ino_t ino = ext2->lib->super->s_last_orphan, next = 0;

    if (ino == 0)
        return 0;
    /* A chain that makes no sense is left to who repairs file systems; an inode that was given back is in it once. */
    for (; ino != 0; ino = next) {
        ext2_begin(ext2);
        if (recover(ext2, ino, &next) < 0) {
            (void)ext2_fail(ext2, -EIO);
            return 0;
        }
    }
    return ext2_sync(&ext2->fs, NULL, SYNC_WHOLE);
}
