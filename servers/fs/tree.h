/* SPDX-License-Identifier: MIT */
/*
 * The one tree of names, out of one file system or two, and what is done to names whatever file system they are in.
 * Pure: no messages and no globals. One thread; no lock.
 *
 * With two, the names in the root of one (`over`) cover those of the other's (`base`): each thing there hides what the
 * base has by that name, and cannot be removed or renamed. So the boot archive's directories are found beside those
 * of a disk.
 *
 * Paths are absolute, zero-terminated and shorter than TREE_PATH_BYTES; relative symbolic links, "." and ".." are
 * followed from the directory in which they are found.
 *
 * Errors common to all calls that take a path: ENOENT (empty, or a part is missing), ENOTDIR, ELOOP (more than
 * TREE_LINKS_MAX symbolic links), ENAMETOOLONG, EINVAL (not absolute), and those of the file systems; see inode.h. An
 * error leaves everything as it was.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "inode.h"

#define TREE_PATH_BYTES 1024u
#define TREE_LINKS_MAX  40u

struct tree {
    struct file_system *base;
    struct file_system *over; /* NULL: none */
};

/* --- Paths (path.c) --- */

#define WALK_FOLLOW 1u /* follow a symbolic link that is the last part, too */

enum last_part { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* Where a path leads. */
struct walk {
    struct inode *parent; /* the directory that holds, or would hold, the last part */
    struct inode *inode;  /* NULL: there is no such name */
    enum last_part last;
    bool slash; /* a slash follows: only a directory will do */
    size_t length;
    char name[FILE_NAME_MAX + 1]; /* the last part, if it is LAST_NAME */
};

/* Walks to the last part of a path, which need not exist. The result takes no references. */
MUST_CHECK int tree_walk(const struct tree *tree, const char *path, unsigned flags, struct walk *walk);

/* The inode that a path names; ENOENT if there is none. Takes no reference. */
MUST_CHECK int tree_find(const struct tree *tree, const char *path, unsigned flags, struct inode **inode);

/* The directory that holds a directory. */
struct inode *tree_parent(const struct tree *tree, const struct inode *directory);

/* Writes the path of a directory, without symbolic links, with its zero. ENOENT: it was removed; ERANGE: no room. */
MUST_CHECK int tree_directory_path(const struct tree *tree, const struct inode *directory, char *path, size_t bytes);

/* Writes the path, without symbolic links, of what `path` names. ENOENT, ERANGE. */
MUST_CHECK int tree_resolve(const struct tree *tree, const char *path, char *resolved, size_t bytes);

/* --- Names (names.c) --- */

/* What an open asks for beyond the way the file is used later. */
#define OPEN_CREATE    1u
#define OPEN_EXCLUSIVE 2u
#define OPEN_TRUNCATE  4u
#define OPEN_DIRECTORY 8u
#define OPEN_NOFOLLOW  16u
#define OPEN_WRITE     32u

/*
 * Opens, and with OPEN_CREATE makes, what a path names; `mode` are the permission bits of a new file. *inode has one
 * reference more. EEXIST: OPEN_EXCLUSIVE; EISDIR: a directory to be written; ELOOP: OPEN_NOFOLLOW and a symbolic link;
 * ENOSPC; EROFS.
 */
MUST_CHECK int tree_open(const struct tree *tree, const char *path, unsigned flags, uint32_t mode,
                         struct inode **inode);

/* Each makes a new name. EEXIST, ENOSPC, EMLINK, EROFS; link: EPERM for a directory, EXDEV between file systems. */
MUST_CHECK int tree_mkdir(const struct tree *tree, const char *path, uint32_t mode);
MUST_CHECK int tree_symlink(const struct tree *tree, const char *target, const char *path);
MUST_CHECK int tree_device(const struct tree *tree, const char *path, uint32_t mode, uint64_t device);
MUST_CHECK int tree_link(const struct tree *tree, const char *old_path, const char *new_path, unsigned flags);

/* Makes a regular file whose content the tmpfs loads when it is first needed. `source` is not 0. */
MUST_CHECK int tree_seed(const struct tree *tree, const char *path, uint32_t mode, uint64_t source, uint64_t size);

/* Removes a name. EISDIR: a directory; EBUSY: it covers another file system's; EROFS. */
MUST_CHECK int tree_unlink(const struct tree *tree, const char *path);

/* Removes an empty directory. ENOTEMPTY, ENOTDIR, EBUSY (the root, or it covers), EINVAL (its last part is "."). */
MUST_CHECK int tree_rmdir(const struct tree *tree, const char *path);

/*
 * Gives a thing another name, which may be that of another thing and replaces it. EISDIR, ENOTDIR, ENOTEMPTY: what
 * does not go together; EINVAL: a directory into itself, or "." and ".."; EBUSY: the root, or it covers; EXDEV: into
 * another file system; ENOSPC, EROFS.
 */
MUST_CHECK int tree_rename(const struct tree *tree, const char *old_path, const char *new_path);

/* Copies the target of a symbolic link, without a zero, cut to `bytes`; returns its length then. EINVAL: none. */
MUST_CHECK long tree_readlink(const struct tree *tree, const char *path, char *target, size_t bytes);

/* Tells the names of a directory with a cookie of at least `cookie`, which is at least 2, until the function has
 * enough. Cookies fit 63 bits. */
MUST_CHECK int tree_list(const struct tree *tree, struct inode *directory, uint64_t cookie, list_function function,
                         void *argument);

/* Has everything written; the first error, after all has been tried. */
MUST_CHECK int tree_sync(const struct tree *tree, enum sync_what what);

/* Between two requests: nobody has inodes in hand without a reference. */
void tree_settle(const struct tree *tree);

#endif
