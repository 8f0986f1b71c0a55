/* SPDX-License-Identifier: MIT */
/*
 * Making, removing and moving names of an ext2 file system. What can be refused is found out first; when the device fails
 * in the middle of a change, ext2_fail() lets all of it be forgotten.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"

#define FAST_TARGET sizeof(((struct ext2_inode *)0)->i_block)

/* --- Links and times --- */

static void touch(struct ext2_node *directory)
{
    directory->inode.modified = directory->inode.changed = directory->inode.fs->now();
    directory->dirty = true;
}

static void changed(struct ext2_node *node)
{
    node->inode.changed = node->inode.fs->now();
    node->dirty = true;
}

/* A directory has one directory more in it. One link means that there were too many to count. */
static void link_more(struct ext2_node *directory)
{
    if (directory->inode.links >= 2)
        directory->inode.links++;
}

static void link_less(struct ext2_node *directory)
{
    if (directory->inode.links > 2)
        directory->inode.links--;
}

/* An inode, which the caller holds, has lost a name, a directory its only one. Without names it goes with who holds it; one
 * that was `replaced` stays on disk until the name means the other there. */
static void lose_name(struct ext2_node *node, bool replaced)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    changed(node);
    if (inode_is(&node->inode, MODE_DIRECTORY)) {
        link_less(node_of(node->inode.parent));
        ext2_node_unplace(node);
        node->inode.links = 0;
    } else if (node->inode.links > 0) {
        node->inode.links--;
    }
    if (node->inode.links > 0)
        return;
    ext2_node_busy(node);
    node->orphan = true;
    node->replaced = replaced;
    list_push_back(replaced ? &ext2->replaced : &ext2->orphans, &node->member);
    ext2->replaced_count += replaced;
}

/* --- Making --- */

/* What a new inode has on disk before anybody finds it. */
static int new_fields(struct ext2 *ext2, ext2_ino_t ino, const struct new_inode *new, struct ext2_inode *disk)
{
    ext2_extent_handle_t handle;
    const size_t length = new->target ? strlen(new->target) : 0;

    memset(disk, 0, sizeof(*disk));
    disk->i_mode = (uint16_t) new->mode;
    disk->i_links_count = 1;
    if (new->target && length < FAST_TARGET)
        memcpy(disk->i_block, new->target, length);
    else if (new->device)
        disk->i_block[new->device > UINT16_MAX] = (uint32_t) new->device;
    if (disk->i_block[0] || disk->i_block[1] || !ext2fs_has_feature_extents(ext2->lib->super))
        return 0;
    /* Opening an empty tree of extents writes its header. */
    disk->i_flags |= EXT4_EXTENTS_FL;
    const errcode_t error = ext2fs_extent_open2(ext2->lib, ino, disk, &handle);
    if (!error)
        ext2fs_extent_free(handle);
    return ext2_error(error);
}

/* Writes a target that is too long for the inode into a block. */
static int write_target(struct ext2_node *node, const char *target, size_t length)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block;

    const int error = ext2_map(node, 0, true, &block);
    if (error < 0)
        return error;
    memset(ext2->block_buffer, 0, ext2->block_bytes);
    memcpy(ext2->block_buffer, target, length);
    return ext2_cache_write(&ext2->cache, block * ext2->block_bytes, ext2->block_buffer, ext2->block_bytes);
}

/* Gives a new inode, which is on disk, what its kind has. ENOSPC. */
static int fill(struct ext2_node *node, struct ext2_node *directory, const struct new_inode *new)
{
    struct inode *inode = &node->inode;

    inode->mode = new->mode;
    inode->links = 1;
    inode->device = new->device;
    inode->accessed = inode->modified = inode->changed = inode->fs->now();
    node->dirty = true;
    if (inode_is(inode, MODE_SYMLINK)) {
        inode->size = strlen(new->target);
        return inode->size < FAST_TARGET ? 0 : write_target(node, new->target, inode->size);
    }
    if (inode_is(inode, MODE_DIRECTORY)) {
        inode->links = 2;
        return ext2_directory_begin(node, ino_of(directory));
    }
    return 0;
}

/* Takes an inode number and a record for it. */
static int begin_inode(struct ext2_node *directory, const struct new_inode *new, struct ext2_node **node)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    struct ext2_inode disk;
    ext2_ino_t ino;

    errcode_t error = ext2fs_new_inode(ext2->lib, ino_of(directory), (int)new->mode, NULL, &ino);
    if (error)
        return ext2_error(error);
    *node = ext2_node_new(ext2, ino);
    if (!*node)
        return -ENOMEM;
    const int failed = new_fields(ext2, ino, new, &disk);
    error = failed < 0 ? 0 : ext2fs_write_new_inode(ext2->lib, ino, &disk);
    if (failed < 0 || error) {
        ext2_node_free(*node);
        return failed < 0 ? failed : ext2_fail(ext2, -EIO);
    }
    ext2fs_inode_alloc_stats2(ext2->lib, ino, 1, (new->mode &MODE_TYPE) == MODE_DIRECTORY);
    return 0;
}

/* Makes an inode that has all but its name. */
static int make_inode(struct ext2_node *directory, const struct new_inode *new, struct ext2_node **node)
{
    int error = begin_inode(directory, new, node);
    if (error < 0 || !*node)
        return error < 0 ? error : -EIO;
    error = fill(*node, directory, new);
    if (error < 0) {
        (*node)->inode.links = 0;
        const int bad = ext2_node_delete(*node);
        return bad < 0 ? bad : error;
    }
    return 0;
}

/* A copy of a name, for a directory's node. */
static int copy_name(const char *name, size_t length, char **copy)
{
    *copy = fs_allocate(length + 1);
    if (!*copy)
        return -ENOMEM;
    memcpy(*copy, name, length);
    return 0;
}

int ext2_create(struct inode *inode, const char *name, size_t length, const struct new_inode *new, struct inode **made)
{
    struct ext2_node *directory = node_of(inode), *node = NULL;
    const bool is_directory = (new->mode &MODE_TYPE) == MODE_DIRECTORY;
    char *copy = NULL;

    if (new->source)
        return -EINVAL;
    ext2_begin(ext2_of(inode));
    int error = ext2_directory_reserve(directory, length);
    if (error == 0 && is_directory)
        error = copy_name(name, length, &copy);
    if (error == 0)
        error = make_inode(directory, new, &node);
    if (error != 0) {
        fs_free(copy);
        return error;
    }
    error = ext2_directory_add(directory, name, length, ino_of(node), new->mode);
    if (error < 0) {
        fs_free(copy);
        ext2_node_free(node);
        return ext2_fail(ext2_of(inode), error);
    }
    if (is_directory) {
        ext2_node_place(node, directory, copy);
        link_more(directory);
    }
    touch(directory);
    inode_get(&node->inode);
    *made = &node->inode;
    return 0;
}

int ext2_link(struct inode *inode, const char *name, size_t length, struct inode *linked)
{
    struct ext2_node *directory = node_of(inode), *node = node_of(linked);

    ext2_begin(ext2_of(inode));
    int error = ext2_directory_reserve(directory, length);
    if (error < 0)
        return error;
    error = ext2_directory_add(directory, name, length, ino_of(node), linked->mode);
    if (error < 0)
        return ext2_fail(ext2_of(inode), error);
    linked->links++;
    changed(node);
    touch(directory);
    return 0;
}

/* --- Removing and moving --- */

int ext2_unlink(struct inode *inode, const char *name, size_t length, struct inode *removed)
{
    struct ext2_node *directory = node_of(inode);

    ext2_begin(ext2_of(inode));
    const int error = ext2_directory_remove(directory, name, length);
    if (error < 0)
        return ext2_fail(ext2_of(inode), error);
    touch(directory);
    lose_name(node_of(removed), false);
    return 0;
}

/* Moves a directory, whose names are in order, to its new place. */
static int move_directory(struct ext2_node *node, struct ext2_node *from, struct ext2_node *to, char *name)
{
    ext2_node_place(node, to, name);
    if (from == to)
        return 0;
    link_less(from);
    link_more(to);
    return ext2_directory_set(node, "..", 2, ino_of(to), MODE_DIRECTORY);
}

/* Gives the inode its new name, and takes the old one away. */
static int exchange_names(struct ext2_node *from, const char *from_name, size_t from_length, struct ext2_node *node,
                          struct ext2_node *to, const char *to_name, size_t to_length, bool replace)
{
    const ext2_ino_t ino = ino_of(node);

    ext2_of(&node->inode)->renaming = true;
    int error = replace ? ext2_directory_set(to, to_name, to_length, ino, node->inode.mode)
                        : ext2_directory_add(to, to_name, to_length, ino, node->inode.mode);
    if (error == 0)
        error = ext2_directory_remove(from, from_name, from_length);
    ext2_of(&node->inode)->renaming = false;
    return error;
}

/* Blocks of the directory to which names go are written before those from which they go. */
bool ext2_rename_waits(const struct inode *from, const struct inode *to)
{
    const struct ext2 *ext2 = ext2_of(from);

    if (from == to)
        return from == ext2->moved_from;
    return ext2->renamed && (ext2->moved_from != from || ext2->moved_to != to);
}

int ext2_rename(struct inode *from_inode, const char *from_name, size_t from_length, struct inode *inode,
                struct inode *to_inode, const char *to_name, size_t to_length, struct inode *replaced)
{
    struct ext2_node *from = node_of(from_inode), *to = node_of(to_inode), *node = node_of(inode);
    struct ext2 *ext2 = ext2_of(inode);
    char *copy = NULL;

    ext2_begin(ext2);
    int error = replaced ? 0 : ext2_directory_reserve(to, to_length);
    if (error == 0 && inode_is(inode, MODE_DIRECTORY))
        error = copy_name(to_name, to_length, &copy);
    if (error < 0)
        return error;
    error = exchange_names(from, from_name, from_length, node, to, to_name, to_length, replaced != NULL);
    if (error == 0 && copy)
        error = move_directory(node, from, to, copy);
    else
        fs_free(copy);
    if (error < 0)
        return ext2_fail(ext2, error);
    ext2->renamed = true;
    if (from != to) {
        ext2->moved_from = from_inode;
        ext2->moved_to = to_inode;
    }
    changed(node);
    touch(from);
    touch(to);
    if (replaced)
        lose_name(node_of(replaced), true);
    return 0;
}

long ext2_readlink(struct inode *inode, char *target, size_t bytes)
{
    struct ext2_node *node = node_of(inode);
    struct ext2 *ext2 = ext2_of(inode);
    struct ext2_inode disk;
    uint64_t block;

    ext2_begin(ext2);
    if (bytes > inode->size)
        bytes = inode->size;
    if (inode->size < FAST_TARGET) {
        const errcode_t bad = ext2fs_read_inode(ext2->lib, ino_of(node), &disk);
        memcpy(target, disk.i_block, bytes);
        return bad ? ext2_error(bad) : (long)bytes;
    }
    const int error = ext2_map(node, 0, false, &block);
    if (error < 0 || !block || bytes > ext2->block_bytes)
        return -EIO;
    const int bad = ext2_cache_read(&ext2->cache, block * ext2->block_bytes, target, bytes);
    return bad < 0 ? bad : (long)bytes;
}
