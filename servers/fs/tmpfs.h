/* SPDX-License-Identifier: MIT */
/*
 * A file system in memory: the tree of names, what the names mean, and the content of regular files. Pure: no messages
 * and no globals, so that the same files run in host tests. One thread; no lock.
 *
 * Paths are absolute, zero-terminated and shorter than TMPFS_PATH_BYTES; relative symbolic links, "." and ".." are
 * followed from the directory in which they are found. There is one user, who may do everything, so permission bits
 * are kept and only the execute bits of files are ever asked about. Times are nanoseconds.
 *
 * Errors common to all calls that take a path: ENOENT (empty, or a part is missing), ENOTDIR, ELOOP (more than
 * TMPFS_LINKS_MAX symbolic links), ENAMETOOLONG, EINVAL (not absolute). An error leaves everything as it was.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include <base/check.h>
#include <base/list.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "storage.h"

#define TMPFS_NAME_MAX   255u
#define TMPFS_PATH_BYTES 1024u
#define TMPFS_LINKS_MAX  40u
#define TMPFS_HARD_MAX   32767u /* names of one inode */

/* Numbers of inodes are below this as long as there are so few: C libraries exist whose ino_t has 16 bits. */
#define TMPFS_SHORT_NUMBERS 65536u

/* File types and permission bits, with the numbers that <sys/stat.h> has everywhere. */
#define MODE_TYPE      0170000u
#define MODE_SYMLINK   0120000u
#define MODE_FILE      0100000u
#define MODE_DIRECTORY 0040000u
#define MODE_DEVICE    0020000u
#define MODE_PIPE      0010000u
#define MODE_BITS      07777u
#define MODE_EXECUTE   0111u

struct entry;

struct inode {
    uint64_t number;
    uint32_t mode;       /* MODE_* and permission bits */
    uint32_t links;      /* names; of a directory: also "." and the ".." of its directories */
    uint32_t references; /* open descriptions, and what else holds the inode in hand */
    uint32_t user, group;
    uint64_t accessed, modified, changed;
    uint64_t size; /* file: bytes; symbolic link: of its target; directory: entries */
    union {
        struct {
            struct storage storage;
            struct list locks; /* struct lock */
            uint64_t source;   /* not 0: where the seed has the content, which is not loaded yet; see struct tmpfs */
        };
        struct {
            struct list entries; /* struct entry, by cookie */
            uint64_t next_cookie;
            struct inode *parent;      /* of the root and of a removed directory: itself */
            const struct entry *entry; /* its name; NULL: as above */
        };
        char *target;    /* symbolic link */
        uint64_t device; /* number of a device */
    };
};

/* A name in a directory. */
struct entry {
    struct list link;    /* in the directory */
    struct entry *chain; /* in the hash table */
    struct inode *directory, *inode;
    uint64_t cookie; /* counts up in a directory; "." is 0, ".." is 1 */
    uint32_t hash;
    uint32_t length;
    char name[]; /* zero-terminated */
};

struct tmpfs {
    struct inode *root;
    uint64_t numbers[TMPFS_SHORT_NUMBERS / 64]; /* a bit for each short number in use; 0 is none */
    uint64_t last_number;                       /* that was given out; the next one is looked for behind it */
    uint64_t next_long_number;                  /* for when no short one is free */
    uint64_t inodes, entries;                   /* that exist */
    struct entry **buckets;                     /* of the names, by directory and name */
    uint64_t bucket_count;                      /* a power of two */
    uint64_t (*now)(void);
    /* Reads content of a seeded file: bytes [offset, offset + bytes) of `source`. 0 or a negative errno. */
    int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes);
};

/* Makes a file system with an empty root directory. ENOMEM. */
MUST_CHECK int tmpfs_init(struct tmpfs *fs, uint64_t (*now)(void),
                          int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes));

/* Frees everything. No inode is referenced any more. */
void tmpfs_destroy(struct tmpfs *fs);

/* True if all counts, links and names agree. Takes time in proportion to the whole. */
bool tmpfs_check(const struct tmpfs *fs);

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
    char name[TMPFS_NAME_MAX + 1]; /* the last part, if it is LAST_NAME */
};

/* Walks to the last part of a path, which need not exist. The result takes no references. */
MUST_CHECK int tmpfs_walk(struct tmpfs *fs, const char *path, unsigned flags, struct walk *walk);

/* The inode that a path names; ENOENT if there is none. Takes no reference. */
MUST_CHECK int tmpfs_find(struct tmpfs *fs, const char *path, unsigned flags, struct inode **inode);

/* Writes the path of a directory, without symbolic links, with its zero. ENOENT: it was removed; ERANGE: no room. */
MUST_CHECK int tmpfs_directory_path(const struct tmpfs *fs, const struct inode *directory, char *path, size_t bytes);

/* Writes the path, without symbolic links, of what `path` names. ENOENT, ERANGE. */
MUST_CHECK int tmpfs_resolve(struct tmpfs *fs, const char *path, char *resolved, size_t bytes);

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
 * ENOSPC.
 */
MUST_CHECK int tmpfs_open(struct tmpfs *fs, const char *path, unsigned flags, uint32_t mode, struct inode **inode);

/* Each makes a new name. EEXIST, ENOSPC, EMLINK; link: EPERM for a directory. */
MUST_CHECK int tmpfs_mkdir(struct tmpfs *fs, const char *path, uint32_t mode);
MUST_CHECK int tmpfs_symlink(struct tmpfs *fs, const char *target, const char *path);
MUST_CHECK int tmpfs_device(struct tmpfs *fs, const char *path, uint32_t mode, uint64_t device);
MUST_CHECK int tmpfs_link(struct tmpfs *fs, const char *old_path, const char *new_path, unsigned flags);

/* Makes a regular file whose content tmpfs.load() brings when it is first needed. `source` is not 0. */
MUST_CHECK int tmpfs_seed(struct tmpfs *fs, const char *path, uint32_t mode, uint64_t source, uint64_t size);

/* Removes a name. EISDIR: a directory. */
MUST_CHECK int tmpfs_unlink(struct tmpfs *fs, const char *path);

/* Removes an empty directory. ENOTEMPTY, ENOTDIR, EBUSY (the root), EINVAL (its last part is "."). */
MUST_CHECK int tmpfs_rmdir(struct tmpfs *fs, const char *path);

/*
 * Gives a thing another name, which may be that of another thing and replaces it. EISDIR, ENOTDIR, ENOTEMPTY: what
 * does not go together; EINVAL: a directory into itself, or "." and ".."; EBUSY: the root; ENOSPC.
 */
MUST_CHECK int tmpfs_rename(struct tmpfs *fs, const char *old_path, const char *new_path);

/* Copies the target of a symbolic link, without a zero, cut to `bytes`; returns its length then. EINVAL: none. */
MUST_CHECK long tmpfs_readlink(struct tmpfs *fs, const char *path, char *target, size_t bytes);

/* The first entry of a directory with a cookie of at least `cookie`, which is at least 2; NULL at the end. */
const struct entry *tmpfs_entry_from(const struct inode *directory, uint64_t cookie);

/* --- Inodes (inode.c) --- */

/* Takes a reference, or gives one back; the last one of an inode without names frees it. */
void inode_get(struct inode *inode);
void inode_put(struct tmpfs *fs, struct inode *inode);

/* Reads from a file; returns how many bytes, 0 at and behind its end. EIO, ENOSPC: it could not be loaded. */
MUST_CHECK long inode_read(struct tmpfs *fs, struct inode *inode, uint64_t offset, void *data, size_t bytes);

/* Writes to a file and makes it longer if need be; returns how many bytes, at least one of one or more. EFBIG, ENOSPC,
 * EIO. */
MUST_CHECK long inode_write(struct tmpfs *fs, struct inode *inode, uint64_t offset, const void *data, size_t bytes);

/* Makes a file `size` bytes long. EINVAL: no file; EFBIG, ENOSPC, EIO. */
MUST_CHECK int inode_truncate(struct tmpfs *fs, struct inode *inode, uint64_t size);

/* The memory object that holds the content of a file, where storage is in such objects; *object is 0 elsewhere. EIO,
 * ENOSPC: it could not be loaded, or made. */
MUST_CHECK int inode_object(struct tmpfs *fs, struct inode *inode, uint64_t *object);

/* Sets the permission bits. */
void inode_chmod(struct tmpfs *fs, struct inode *inode, uint32_t mode);

/* Sets the owner; UINT32_MAX leaves one as it is. */
void inode_chown(struct tmpfs *fs, struct inode *inode, uint32_t user, uint32_t group);

/* Sets both times of a thing; TIME_KEEP leaves one as it is, TIME_NOW takes the clock's. */
#define TIME_KEEP UINT64_MAX
#define TIME_NOW  (UINT64_MAX - 1)
void inode_set_times(struct tmpfs *fs, struct inode *inode, uint64_t accessed, uint64_t modified);

/* Content of the file that differs from holes, in bytes of whole pages. */
uint64_t inode_stored(const struct inode *inode);

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
    return (inode->mode & MODE_TYPE) == type;
}

#endif
