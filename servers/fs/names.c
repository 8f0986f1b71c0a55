/* SPDX-License-Identifier: MIT */
/*
 * What is done to names. Each function finds out first whether all of it can be done, takes the memory it needs, and
 * then does what cannot fail any more.
 */
#include <errno.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

static bool is_directory(const struct inode *inode)
{
    return inode_is(inode, MODE_DIRECTORY);
}

/* A removed directory takes no names. */
static bool is_removed(const struct inode *directory)
{
    return directory->links == 0;
}

/* Walks to a name that is to be made, of a directory or (a slash behind it is refused then) not. */
static int walk_to_new(struct tmpfs *fs, const char *path, bool directory, struct walk *walk)
{
    const int error = tmpfs_walk(fs, path, 0, walk);

    if (error < 0)
        return error;
    if (walk->inode)
        return -EEXIST;
    if (is_removed(walk->parent) || (walk->slash && !directory))
        return -ENOENT;
    if (directory && walk->parent->links >= TMPFS_HARD_MAX)
        return -EMLINK;
    return 0;
}

/* Makes a new inode with the name that the walk found free. *inode has the caller's reference. */
static int make(struct tmpfs *fs, const struct walk *walk, uint32_t mode, struct inode **inode)
{
    struct entry *entry = entry_new(walk->name, walk->length);
    struct inode *new = entry ? inode_new(fs, mode) : NULL;

    if (!new) {
        fs_free(entry);
        return -ENOSPC;
    }
    entries_grow(fs);
    entry_insert(fs, walk->parent, entry, new);
    *inode = new;
    return 0;
}

static int make_at(struct tmpfs *fs, const char *path, uint32_t mode, struct inode **inode)
{
    struct walk walk;
    const int error = walk_to_new(fs, path, (mode & MODE_TYPE) == MODE_DIRECTORY, &walk);

    return error < 0 ? error : make(fs, &walk, mode, inode);
}

/* What may not be opened as the flags ask. */
static int check_open(const struct inode *inode, unsigned flags)
{
    if ((flags & OPEN_CREATE) && (flags & OPEN_EXCLUSIVE))
        return -EEXIST;
    if (inode_is(inode, MODE_SYMLINK))
        return -ELOOP; /* only reached with OPEN_NOFOLLOW */
    if ((flags & OPEN_DIRECTORY) && !is_directory(inode))
        return -ENOTDIR;
    if (is_directory(inode) && (flags & (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)))
        return -EISDIR;
    return 0;
}

int tmpfs_open(struct tmpfs *fs, const char *path, unsigned flags, uint32_t mode, struct inode **inode)
{
    const bool exclusive = (flags & OPEN_CREATE) && (flags & OPEN_EXCLUSIVE);
    struct walk walk;

    int error = tmpfs_walk(fs, path, exclusive || (flags & OPEN_NOFOLLOW) ? 0 : WALK_FOLLOW, &walk);
    if (error < 0)
        return error;
    if (!walk.inode) {
        if (!(flags & OPEN_CREATE) || is_removed(walk.parent))
            return -ENOENT;
        if (walk.slash)
            return -EISDIR;
        if (flags & OPEN_DIRECTORY)
            return -ENOENT;
        return make(fs, &walk, MODE_FILE | (mode & MODE_BITS), inode);
    }
    error = check_open(walk.inode, flags);
    if (error == 0 && (flags & OPEN_TRUNCATE) && inode_is(walk.inode, MODE_FILE))
        error = inode_truncate(fs, walk.inode, 0);
    if (error < 0)
        return error;
    inode_get(walk.inode);
    *inode = walk.inode;
    return 0;
}

int tmpfs_mkdir(struct tmpfs *fs, const char *path, uint32_t mode)
{
    struct inode *inode;
    const int error = make_at(fs, path, MODE_DIRECTORY | (mode & MODE_BITS), &inode);

    if (error == 0)
        inode_put(fs, inode);
    return error;
}

int tmpfs_symlink(struct tmpfs *fs, const char *target, const char *path)
{
    const size_t length = strlen(target);
    struct inode *inode;

    if (length == 0)
        return -ENOENT;
    if (length >= TMPFS_PATH_BYTES)
        return -ENAMETOOLONG;
    char *copy = fs_allocate(length + 1);
    if (!copy)
        return -ENOSPC;
    const int error = make_at(fs, path, MODE_SYMLINK | 0777u, &inode);
    if (error < 0) {
        fs_free(copy);
        return error;
    }
    memcpy(copy, target, length + 1);
    inode->target = copy;
    inode->size = length;
    inode_put(fs, inode);
    return 0;
}

int tmpfs_device(struct tmpfs *fs, const char *path, uint32_t mode, uint64_t device)
{
    struct inode *inode;
    const int error = make_at(fs, path, MODE_DEVICE | (mode & MODE_BITS), &inode);

    if (error < 0)
        return error;
    inode->device = device;
    inode_put(fs, inode);
    return 0;
}

int tmpfs_seed(struct tmpfs *fs, const char *path, uint32_t mode, uint64_t source, uint64_t size)
{
    struct inode *inode;

    if (size > STORAGE_BYTES_MAX)
        return -EFBIG;
    const int error = make_at(fs, path, MODE_FILE | (mode & MODE_BITS), &inode);
    if (error < 0)
        return error;
    inode->source = size ? source : 0;
    inode->size = size;
    inode_put(fs, inode);
    return 0;
}

int tmpfs_link(struct tmpfs *fs, const char *old_path, const char *new_path, unsigned flags)
{
    struct inode *inode;
    struct walk walk;

    int error = tmpfs_find(fs, old_path, flags, &inode);
    if (error < 0)
        return error;
    if (is_directory(inode))
        return -EPERM;
    error = walk_to_new(fs, new_path, false, &walk);
    if (error < 0)
        return error;
    if (inode->links >= TMPFS_HARD_MAX)
        return -EMLINK;
    struct entry *entry = entry_new(walk.name, walk.length);
    if (!entry)
        return -ENOSPC;
    entries_grow(fs);
    entry_insert(fs, walk.parent, entry, inode);
    return 0;
}

int tmpfs_unlink(struct tmpfs *fs, const char *path)
{
    struct walk walk;
    const int error = tmpfs_walk(fs, path, 0, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (is_directory(walk.inode))
        return -EISDIR;
    entry_remove(fs, entry_find(fs, walk.parent, walk.name, walk.length));
    return 0;
}

int tmpfs_rmdir(struct tmpfs *fs, const char *path)
{
    struct walk walk;
    const int error = tmpfs_walk(fs, path, 0, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (!is_directory(walk.inode))
        return -ENOTDIR;
    if (walk.inode == fs->root)
        return -EBUSY;
    if (walk.last == LAST_DOT)
        return -EINVAL;
    if (walk.last == LAST_DOTDOT || !list_empty(&walk.inode->entries))
        return -ENOTEMPTY;
    entry_remove(fs, entry_find(fs, walk.parent, walk.name, walk.length));
    return 0;
}

/* True if `inode` is `directory` or lies in it. */
static bool lies_in(const struct inode *inode, const struct inode *directory)
{
    for (;;) {
        if (inode == directory)
            return true;
        if (inode->parent == inode)
            return false;
        inode = inode->parent;
    }
}

/* Whether what the first walk found may take the name that the second one found. */
static int check_rename(const struct tmpfs *fs, const struct walk *from, const struct walk *to)
{
    if (!from->inode)
        return -ENOENT;
    if (from->inode == fs->root || to->inode == fs->root)
        return -EBUSY;
    if (from->last != LAST_NAME || to->last != LAST_NAME)
        return -EINVAL;
    if (is_directory(from->inode) && lies_in(to->parent, from->inode))
        return -EINVAL;
    if (!is_directory(from->inode) && (from->slash || to->slash))
        return -ENOTDIR;
    if (is_removed(to->parent))
        return -ENOENT;
    if (!to->inode)
        return is_directory(from->inode) && from->parent != to->parent && to->parent->links >= TMPFS_HARD_MAX ? -EMLINK
                                                                                                              : 0;
    if (to->inode == from->inode)
        return 0;
    if (is_directory(from->inode) && !is_directory(to->inode))
        return -ENOTDIR;
    if (!is_directory(from->inode) && is_directory(to->inode))
        return -EISDIR;
    return is_directory(to->inode) && !list_empty(&to->inode->entries) ? -ENOTEMPTY : 0;
}

int tmpfs_rename(struct tmpfs *fs, const char *old_path, const char *new_path)
{
    struct entry *entry = NULL;
    struct walk from = {0}, to = {0};

    int error = tmpfs_walk(fs, old_path, 0, &from);
    if (error == 0)
        error = tmpfs_walk(fs, new_path, 0, &to);
    if (error == 0)
        error = check_rename(fs, &from, &to);
    if (error < 0 || to.inode == from.inode)
        return error;
    if (!to.inode) {
        entry = entry_new(to.name, to.length);
        if (!entry)
            return -ENOSPC;
        entries_grow(fs);
        entry_insert(fs, to.parent, entry, from.inode);
    } else {
        entry_replace(fs, entry_find(fs, to.parent, to.name, to.length), from.inode);
    }
    entry_remove(fs, entry_find(fs, from.parent, from.name, from.length));
    return 0;
}

long tmpfs_readlink(struct tmpfs *fs, const char *path, char *target, size_t bytes)
{
    struct inode *inode;
    const int error = tmpfs_find(fs, path, 0, &inode);

    if (error < 0)
        return error;
    if (!inode_is(inode, MODE_SYMLINK))
        return -EINVAL;
    if (bytes > inode->size)
        bytes = inode->size;
    memcpy(target, inode->target, bytes);
    return (long)bytes;
}
