/* SPDX-License-Identifier: MIT */
/*
 * From paths to inodes and back.
 */
#include <errno.h>
#include <string.h>

#include "tree.h"

/* A walk under way. */
struct progress {
    struct inode *directory;
    char rest[TREE_PATH_BYTES]; /* what is still to be walked */
    size_t at;                  /* the next byte of it */
    unsigned links;             /* symbolic links followed so far */
};

/* Puts the target of a symbolic link in front of what is left. */
static int follow(const struct tree *tree, struct progress *progress, struct inode *symlink)
{
    const size_t left = strlen(progress->rest + progress->at);
    char target[TREE_PATH_BYTES];

    if (++progress->links > TREE_LINKS_MAX)
        return -ELOOP;
    if (symlink->size + 1 + left + 1 > sizeof(progress->rest))
        return -ENAMETOOLONG;
    const long length = symlink->fs->operations->readlink(symlink, target, symlink->size);
    if (length < 0)
        return (int)length;
    memmove(progress->rest + length + 1, progress->rest + progress->at, left + 1);
    memcpy(progress->rest, target, (size_t)length);
    /* An empty part is harmless within a path; at its end it would ask for a directory. */
    progress->rest[length] = left ? '/' : '\0';
    progress->at = 0;
    if (target[0] == '/')
        progress->directory = tree->base->root;
    return 0;
}

/* Takes the next part of the rest into *walk. ENOENT: there is none. */
static int next_part(struct progress *progress, struct walk *walk)
{
    const char *rest = progress->rest + progress->at;

    rest += strspn(rest, "/");
    walk->length = strcspn(rest, "/");
    if (walk->length == 0)
        return -ENOENT;
    if (walk->length > FILE_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(walk->name, rest, walk->length);
    walk->name[walk->length] = '\0';
    walk->last = LAST_NAME;
    if (strcmp(walk->name, ".") == 0)
        walk->last = LAST_DOT;
    else if (strcmp(walk->name, "..") == 0)
        walk->last = LAST_DOTDOT;
    rest += walk->length;
    walk->slash = *rest == '/';
    rest += strspn(rest, "/");
    progress->at = (size_t)(rest - progress->rest);
    return 0;
}

struct inode *tree_parent(const struct tree *tree, const struct inode *directory)
{
    struct inode *parent = directory->parent;

    return tree->over && parent == tree->over->root ? tree->base->root : parent;
}

/* What a name means in a directory; NULL: nothing. */
static int look_up_name(const struct tree *tree, struct walk *walk)
{
    struct inode *directory = walk->parent;

    walk->inode = NULL;
    if (tree->over && directory == tree->base->root) {
        const int error = tree->over->operations->lookup(tree->over->root, walk->name, walk->length, &walk->inode);
        if (error < 0 || walk->inode)
            return error;
    }
    return directory->fs->operations->lookup(directory, walk->name, walk->length, &walk->inode);
}

/* What the part that *walk holds means in the directory that the walk has reached. */
static int look_up(const struct tree *tree, const struct progress *progress, struct walk *walk)
{
    walk->parent = progress->directory;
    walk->inode = progress->directory;
    if (walk->last == LAST_NAME)
        return look_up_name(tree, walk);
    if (walk->last == LAST_DOTDOT)
        walk->inode = tree_parent(tree, progress->directory);
    return 0;
}

/* True if the part in hand is a symbolic link that is to be followed. */
static bool to_be_followed(const struct walk *walk, bool is_last, unsigned flags)
{
    return walk->inode && inode_is(walk->inode, MODE_SYMLINK) && (!is_last || walk->slash || (flags & WALK_FOLLOW));
}

int tree_walk(const struct tree *tree, const char *path, unsigned flags, struct walk *walk)
{
    struct progress progress = {.directory = tree->base->root};
    const size_t length = strlen(path);
    int error;

    if (length == 0)
        return -ENOENT;
    if (length >= sizeof(progress.rest))
        return -ENAMETOOLONG;
    if (path[0] != '/')
        return -EINVAL;
    memcpy(progress.rest, path, length + 1);
    *walk = (struct walk){.parent = tree->base->root, .inode = tree->base->root, .last = LAST_ROOT};
    while ((error = next_part(&progress, walk)) == 0) {
        const bool is_last = progress.rest[progress.at] == '\0';
        error = look_up(tree, &progress, walk);
        if (error < 0)
            return error;
        if (to_be_followed(walk, is_last, flags)) {
            /* The slash behind the link is the directory's behind its target. */
            if (walk->slash)
                progress.at--;
            error = follow(tree, &progress, walk->inode);
            if (error < 0)
                return error;
            /* Until the next part is seen the walk is where it was: "/" alone may be all that follows. */
            *walk = (struct walk){.parent = progress.directory, .inode = progress.directory, .last = LAST_DOT};
            continue;
        }
        if (is_last)
            return walk->slash && walk->inode && !inode_is(walk->inode, MODE_DIRECTORY) ? -ENOTDIR : 0;
        if (!walk->inode)
            return -ENOENT;
        if (!inode_is(walk->inode, MODE_DIRECTORY))
            return -ENOTDIR;
        progress.directory = walk->inode;
    }
    if (error != -ENOENT)
        return error;
    /* No part was left: the path, or the target of its last link, is "/". */
    walk->last = LAST_ROOT;
    return 0;
}

int tree_find(const struct tree *tree, const char *path, unsigned flags, struct inode **inode)
{
    struct walk walk;
    const int error = tree_walk(tree, path, flags, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    *inode = walk.inode;
    return 0;
}

int tree_directory_path(const struct tree *tree, const struct inode *directory, char *path, size_t bytes)
{
    size_t start = bytes;

    if (bytes < 2)
        return -ERANGE;
    path[--start] = '\0';
    if (directory == tree->base->root)
        path[--start] = '/';
    for (; directory != tree->base->root; directory = tree_parent(tree, directory)) {
        const size_t length = directory->name ? strlen(directory->name) : 0;
        if (length == 0)
            return -ENOENT;
        if (start < length + 1)
            return -ERANGE;
        start -= length;
        memcpy(path + start, directory->name, length);
        path[--start] = '/';
    }
    memmove(path, path + start, bytes - start);
    return 0;
}

int tree_resolve(const struct tree *tree, const char *path, char *resolved, size_t bytes)
{
    struct walk walk;
    int error = tree_walk(tree, path, WALK_FOLLOW, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (inode_is(walk.inode, MODE_DIRECTORY))
        return tree_directory_path(tree, walk.inode, resolved, bytes);
    error = tree_directory_path(tree, walk.parent, resolved, bytes);
    if (error < 0)
        return error;
    size_t length = strlen(resolved);
    if (length > 1)
        resolved[length++] = '/';
    if (walk.length + 1 > bytes - length)
        return -ERANGE;
    memcpy(resolved + length, walk.name, walk.length + 1);
    return 0;
}
