/* SPDX-License-Identifier: MIT */
/*
 * What is done to names. Each function finds out first whether all of it can be done; the file system then does it.
 */
#include <errno.h>
#include <string.h>

#include "tree.h"

static bool is_directory(const struct inode *inode)
{
    return inode_is(inode, MODE_DIRECTORY);
}

/* A removed directory takes no names. */
static bool is_removed(const struct inode *directory)
{
    return directory->links == 0;
}

/* True if what a walk has found is of another file system than the directory that it is found in. */
static bool covers(const struct walk *walk)
{
    return walk->inode && walk->inode->fs != walk->parent->fs;
}

static bool found_one(void *argument, const struct listed *entry)
{
    *(bool *)argument = true;
    return false;
}

/* 0 if a directory holds no names. */
static int check_empty(struct inode *directory)
{
    bool found = false;
    const int error = directory->fs->operations->list(directory, 2, found_one, &found);

    return error < 0 ? error : found ? -ENOTEMPTY : 0;
}

/* Walks to a name that is to be made, of a directory or (a slash behind it is refused then) not. */
static int walk_to_new(const struct tree *tree, const char *path, bool directory, struct walk *walk)
{
    const int error = tree_walk(tree, path, 0, walk);

    if (error < 0)
        return error;
    if (walk->inode)
        return -EEXIST;
    if (is_removed(walk->parent) || (walk->slash && !directory))
        return -ENOENT;
    if (walk->parent->fs->read_only)
        return -EROFS;
    if (directory && walk->parent->links >= walk->parent->fs->links_max)
        return -EMLINK;
    return 0;
}

/* Makes a new inode with the name that the walk found free. *inode has the caller's reference. */
static int make(const struct walk *walk, const struct new_inode *new, struct inode **inode)
{
    return walk->parent->fs->operations->create(walk->parent, walk->name, walk->length, new, inode);
}

static int make_at(const struct tree *tree, const char *path, const struct new_inode *new)
{
    struct inode *inode;
    struct walk walk;

    int error = walk_to_new(tree, path, (new->mode &MODE_TYPE) == MODE_DIRECTORY, &walk);
    if (error == 0)
        error = make(&walk, new, &inode);
    if (error == 0)
        inode_put(inode);
    return error;
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
    if (inode_is(inode, MODE_FILE) && (flags & (OPEN_WRITE | OPEN_TRUNCATE)) && inode->fs->read_only)
        return -EROFS;
    return 0;
}

/* Opens with OPEN_CREATE what is not there. */
static int open_new(const struct walk *walk, unsigned flags, uint32_t mode, struct inode **inode)
{
    const struct new_inode new = {.mode = MODE_FILE | (mode & MODE_BITS)};

    if (!(flags & OPEN_CREATE) || is_removed(walk->parent))
        return -ENOENT;
    if (walk->slash)
        return -EISDIR;
    if (flags & OPEN_DIRECTORY)
        return -ENOENT;
    return walk->parent->fs->read_only ? -EROFS : make(walk, &new, inode);
}

int tree_open(const struct tree *tree, const char *path, unsigned flags, uint32_t mode, struct inode **inode)
{
    const bool exclusive = (flags & OPEN_CREATE) && (flags & OPEN_EXCLUSIVE);
    struct walk walk;

    int error = tree_walk(tree, path, exclusive || (flags & OPEN_NOFOLLOW) ? 0 : WALK_FOLLOW, &walk);
    if (error < 0)
        return error;
    if (!walk.inode)
        return open_new(&walk, flags, mode, inode);
    error = check_open(walk.inode, flags);
    if (error == 0 && (flags & OPEN_TRUNCATE) && inode_is(walk.inode, MODE_FILE))
        error = inode_truncate(walk.inode, 0);
    if (error < 0)
        return error;
    inode_get(walk.inode);
    *inode = walk.inode;
    return 0;
}

int tree_mkdir(const struct tree *tree, const char *path, uint32_t mode)
{
    return make_at(tree, path, &(struct new_inode){.mode = MODE_DIRECTORY | (mode & MODE_BITS)});
}

int tree_symlink(const struct tree *tree, const char *target, const char *path)
{
    const size_t length = strlen(target);

    if (length == 0)
        return -ENOENT;
    if (length >= TREE_PATH_BYTES)
        return -ENAMETOOLONG;
    return make_at(tree, path, &(struct new_inode){.mode = MODE_SYMLINK | 0777u, .target = target});
}

int tree_device(const struct tree *tree, const char *path, uint32_t mode, uint64_t device)
{
    return make_at(tree, path, &(struct new_inode){.mode = MODE_DEVICE | (mode & MODE_BITS), .device = device});
}

int tree_seed(const struct tree *tree, const char *path, uint32_t mode, uint64_t source, uint64_t size)
{
    if (size > STORAGE_BYTES_MAX)
        return -EFBIG;
    return make_at(tree, path,
                   &(struct new_inode){.mode = MODE_FILE | (mode & MODE_BITS), .source = source, .size = size});
}

int tree_link(const struct tree *tree, const char *old_path, const char *new_path, unsigned flags)
{
    struct inode *inode;
    struct walk walk;

    int error = tree_find(tree, old_path, flags, &inode);
    if (error < 0)
        return error;
    if (is_directory(inode))
        return -EPERM;
    error = walk_to_new(tree, new_path, false, &walk);
    if (error < 0)
        return error;
    if (inode->fs != walk.parent->fs)
        return -EXDEV;
    if (inode->links >= inode->fs->links_max)
        return -EMLINK;
    return walk.parent->fs->operations->link(walk.parent, walk.name, walk.length, inode);
}

/* 0 if the name that a walk has found may go. */
static int check_removal(const struct walk *walk)
{
    if (covers(walk))
        return -EBUSY;
    return walk->parent->fs->read_only ? -EROFS : 0;
}

static int remove_name(const struct walk *walk)
{
    return walk->parent->fs->operations->unlink(walk->parent, walk->name, walk->length, walk->inode);
}

int tree_unlink(const struct tree *tree, const char *path)
{
    struct walk walk;

    int error = tree_walk(tree, path, 0, &walk);
    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (is_directory(walk.inode))
        return -EISDIR;
    error = check_removal(&walk);
    return error < 0 ? error : remove_name(&walk);
}

int tree_rmdir(const struct tree *tree, const char *path)
{
    struct walk walk;

    int error = tree_walk(tree, path, 0, &walk);
    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (!is_directory(walk.inode))
        return -ENOTDIR;
    if (walk.inode == tree->base->root)
        return -EBUSY;
    if (walk.last == LAST_DOT)
        return -EINVAL;
    if (walk.last == LAST_DOTDOT)
        return -ENOTEMPTY;
    error = check_removal(&walk);
    if (error == 0)
        error = check_empty(walk.inode);
    return error < 0 ? error : remove_name(&walk);
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

/* Whether a thing may take the name of another. */
static int check_replaced(const struct walk *from, const struct walk *to)
{
    if (to->inode == from->inode)
        return 0;
    if (is_directory(from->inode) && !is_directory(to->inode))
        return -ENOTDIR;
    if (!is_directory(from->inode) && is_directory(to->inode))
        return -EISDIR;
    return is_directory(to->inode) ? check_empty(to->inode) : 0;
}

/* Whether what the first walk found may take the name that the second one found. */
static int check_rename(const struct tree *tree, const struct walk *from, const struct walk *to)
{
    if (!from->inode)
        return -ENOENT;
    if (from->inode == tree->base->root || to->inode == tree->base->root)
        return -EBUSY;
    if (from->last != LAST_NAME || to->last != LAST_NAME)
        return -EINVAL;
    if (is_directory(from->inode) && lies_in(to->parent, from->inode))
        return -EINVAL;
    if (!is_directory(from->inode) && (from->slash || to->slash))
        return -ENOTDIR;
    if (is_removed(to->parent))
        return -ENOENT;
    if (covers(from) || covers(to))
        return -EBUSY;
    if (from->parent->fs != to->parent->fs)
        return -EXDEV;
    if (to->parent->fs->read_only)
        return -EROFS;
    if (to->inode)
        return check_replaced(from, to);
    const bool another_directory = is_directory(from->inode) && from->parent != to->parent;
    return another_directory && to->parent->links >= to->parent->fs->links_max ? -EMLINK : 0;
}

int tree_rename(const struct tree *tree, const char *old_path, const char *new_path)
{
    struct walk from = {0}, to = {0};

    int error = tree_walk(tree, old_path, 0, &from);
    if (error == 0)
        error = tree_walk(tree, new_path, 0, &to);
    if (error == 0)
        error = check_rename(tree, &from, &to);
    if (error != 0 || to.inode == from.inode)
        return error;
    return to.parent->fs->operations->rename(from.parent, from.name, from.length, from.inode, to.parent, to.name,
                                             to.length, to.inode);
}

long tree_readlink(const struct tree *tree, const char *path, char *target, size_t bytes)
{
    struct inode *inode;
    const int error = tree_find(tree, path, 0, &inode);

    if (error < 0)
        return error;
    if (!inode_is(inode, MODE_SYMLINK))
        return -EINVAL;
    return inode->fs->operations->readlink(inode, target, bytes);
}
