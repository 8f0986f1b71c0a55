/* SPDX-License-Identifier: MIT */
/*
 * From paths to inodes and back.
 */
#include <errno.h>
#include <string.h>

#include "tmpfs_internal.h"

/* A walk under way. */
struct progress {
    struct inode *directory;
    char rest[TMPFS_PATH_BYTES]; /* what is still to be walked */
    size_t at;                   /* the next byte of it */
    unsigned links;              /* symbolic links followed so far */
};

/* Puts the target of a symbolic link in front of what is left. */
static int follow(const struct tmpfs *fs, struct progress *progress, const struct inode *symlink)
{
    const size_t left = strlen(progress->rest + progress->at);

    if (++progress->links > TMPFS_LINKS_MAX)
        return -ELOOP;
    if (symlink->size + 1 + left + 1 > sizeof(progress->rest))
        return -ENAMETOOLONG;
    memmove(progress->rest + symlink->size + 1, progress->rest + progress->at, left + 1);
    memcpy(progress->rest, symlink->target, symlink->size);
    /* An empty part is harmless within a path; at its end it would ask for a directory. */
    progress->rest[symlink->size] = left ? '/' : '\0';
    progress->at = 0;
    if (symlink->target[0] == '/')
        progress->directory = fs->root;
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
    if (walk->length > TMPFS_NAME_MAX)
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

/* What the part that *walk holds means in the directory that the walk has reached. */
static void look_up(const struct tmpfs *fs, const struct progress *progress, struct walk *walk)
{
    const struct entry *entry;

    walk->parent = progress->directory;
    switch (walk->last) {
    case LAST_DOTDOT:
        walk->inode = progress->directory->parent;
        break;
    case LAST_NAME:
        entry = entry_find(fs, progress->directory, walk->name, walk->length);
        walk->inode = entry ? entry->inode : NULL;
        break;
    default:
        walk->inode = progress->directory;
    }
}

/* True if the part in hand is a symbolic link that is to be followed. */
static bool to_be_followed(const struct walk *walk, bool is_last, unsigned flags)
{
    return walk->inode && inode_is(walk->inode, MODE_SYMLINK) && (!is_last || walk->slash || (flags & WALK_FOLLOW));
}

int tmpfs_walk(struct tmpfs *fs, const char *path, unsigned flags, struct walk *walk)
{
    struct progress progress = {.directory = fs->root};
    const size_t length = strlen(path);
    int error;

    if (length == 0)
        return -ENOENT;
    if (length >= sizeof(progress.rest))
        return -ENAMETOOLONG;
    if (path[0] != '/')
        return -EINVAL;
    memcpy(progress.rest, path, length + 1);
    *walk = (struct walk){.parent = fs->root, .inode = fs->root, .last = LAST_ROOT};
    while ((error = next_part(&progress, walk)) == 0) {
        const bool is_last = progress.rest[progress.at] == '\0';
        look_up(fs, &progress, walk);
        if (to_be_followed(walk, is_last, flags)) {
            /* The slash behind the link is the directory's behind its target. */
            if (walk->slash)
                progress.at--;
            error = follow(fs, &progress, walk->inode);
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

int tmpfs_find(struct tmpfs *fs, const char *path, unsigned flags, struct inode **inode)
{
    struct walk walk;
    const int error = tmpfs_walk(fs, path, flags, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    *inode = walk.inode;
    return 0;
}

int tmpfs_directory_path(const struct tmpfs *fs, const struct inode *directory, char *path, size_t bytes)
{
    size_t start = bytes;

    if (bytes < 2)
        return -ERANGE;
    path[--start] = '\0';
    if (directory == fs->root)
        path[--start] = '/';
    for (; directory != fs->root; directory = directory->parent) {
        const struct entry *entry = directory->entry;
        if (!entry)
            return -ENOENT;
        if (start < entry->length + 1)
            return -ERANGE;
        start -= entry->length;
        memcpy(path + start, entry->name, entry->length);
        path[--start] = '/';
    }
    memmove(path, path + start, bytes - start);
    return 0;
}

int tmpfs_resolve(struct tmpfs *fs, const char *path, char *resolved, size_t bytes)
{
    struct walk walk;
    int error = tmpfs_walk(fs, path, WALK_FOLLOW, &walk);

    if (error < 0)
        return error;
    if (!walk.inode)
        return -ENOENT;
    if (inode_is(walk.inode, MODE_DIRECTORY))
        return tmpfs_directory_path(fs, walk.inode, resolved, bytes);
    error = tmpfs_directory_path(fs, walk.parent, resolved, bytes);
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
