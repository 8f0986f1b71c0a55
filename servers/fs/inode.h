/* SPDX-License-Identifier: MIT */
/*
 * Files, directories and links whatever file system they are in, and what a file system must be able to do. Pure. One
 * thread; no lock.
 *
 * There is one user, who may do everything, so permission bits are kept and only the execute bits of files are ever
 * asked about. Times are nanoseconds.
 *
 * An inode lives as long as somebody holds a reference. One that no reference holds stays as it is at least until the
 * next file_system_settle(), so whoever finds inodes while he answers one request needs no references.
 *
 * Errors common to all calls that look at a file system: EIO (the device, or what is on it makes no sense), ENOMEM;
 * to all that change one: EROFS, ENOSPC. An error leaves everything as it was.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <base/check.h>
#include <base/list.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "storage.h"

#define FILE_NAME_MAX 255u

/* File types and permission bits, with the numbers that <sys/stat.h> has everywhere. */
#define MODE_TYPE      0170000u
#define MODE_SYMLINK   0120000u
#define MODE_FILE      0100000u
#define MODE_BLOCK     0060000u
#define MODE_DIRECTORY 0040000u
#define MODE_DEVICE    0020000u
#define MODE_PIPE      0010000u
#define MODE_BITS      07777u
#define MODE_EXECUTE   0111u

/* Numbers of file systems, as stat tells them. */
#define FILES_NUMBER_MEMORY 1u
#define FILES_NUMBER_PIPES  2u
#define FILES_NUMBER_DISK   3u

struct file_system;

/* What all inodes have. A file system keeps more of its own behind it. */
struct inode {
    struct file_system *fs;
    uint64_t number;
    uint32_t mode;       /* MODE_* and permission bits */
    uint32_t links;      /* names; of a directory: also "." and the ".." of its directories; 0: removed */
    uint32_t references; /* open descriptions, and what else holds the inode in hand */
    uint32_t user, group;
    uint64_t accessed, modified, changed;
    uint64_t size;        /* file: bytes; symbolic link: of its target; directory: its file system's business */
    uint64_t device;      /* of a device: its number */
    struct list locks;    /* of a file: struct lock */
    struct inode *parent; /* of a directory; of the root and of a removed one: itself */
    const char *name;     /* of a directory, in its parent; NULL: as above */
};

/* An inode that is to be made. */
struct new_inode {
    uint32_t mode;
    uint64_t device;
    const char *target;    /* of a symbolic link, not empty */
    uint64_t source, size; /* of a seeded file (tmpfs only): where its content is, and how much; source 0: not seeded */
};

/* A name in a directory. */
struct listed {
    uint64_t cookie; /* counts up in a directory; "." is 0, ".." is 1 */
    uint64_t number; /* of the inode */
    uint32_t type;   /* MODE_*; 0: not known */
    size_t length;
    const char *name; /* not zero-terminated */
};

/* Takes one name; false: enough. */
typedef bool (*list_function)(void *argument, const struct listed *entry);

/* What a sync is about. */
enum sync_what {
    SYNC_WHOLE,       /* everything, or a thing and what is needed to find it */
    SYNC_DATA,        /* a file's content, and of the rest what is needed to read it */
    SYNC_DESCRIPTION, /* everything but the content of files */
};

/* How full a file system is. */
struct volume {
    uint64_t block_bytes;
    uint64_t blocks, free_blocks, available_blocks; /* available: to everybody */
    uint64_t inodes, free_inodes;
    uint64_t names; /* entries of directories; 0: not known */
};

/*
 * What a file system does. Names are `length` bytes, 1 to FILE_NAME_MAX, without '/' and zero, neither "." nor "..".
 * Whoever calls has made sure that the file system may be written, that types fit (directories are directories),
 * that a name which is made is not there, that one which is removed is, and that no directory goes into itself.
 */
struct file_system_operations {
    /* What a name means; NULL: there is no such name. Takes no reference. */
    int (*lookup)(struct inode *directory, const char *name, size_t length, struct inode **inode);
    /* Tells all names with a cookie of at least `cookie`, which is at least 2, in order, until the function has enough.
     * A name that stays there all the while has its cookie. */
    int (*list)(struct inode *directory, uint64_t cookie, list_function function, void *argument);
    /* Makes an inode with a name. The caller has a reference to it. */
    int (*create)(struct inode *directory, const char *name, size_t length, const struct new_inode *new,
                  struct inode **inode);
    int (*link)(struct inode *directory, const char *name, size_t length, struct inode *inode);
    /* Removes a name of a thing, or an empty directory. */
    int (*unlink)(struct inode *directory, const char *name, size_t length, struct inode *inode);
    /* Gives a thing another name, in place of that of `replaced` if it is not NULL. */
    int (*rename)(struct inode *from, const char *from_name, size_t from_length, struct inode *inode, struct inode *to,
                  const char *to_name, size_t to_length, struct inode *replaced);
    /* Copies the target of a symbolic link, cut to `bytes`; its length then. */
    long (*readlink)(struct inode *inode, char *target, size_t bytes);
    /* The last reference is gone. */
    void (*release)(struct inode *inode);
    /* Of files. Lengths are not 0, ranges of reads end within the size, sizes are at most STORAGE_BYTES_MAX. */
    long (*read)(struct inode *inode, uint64_t offset, void *data, size_t bytes);
    long (*write)(struct inode *inode, uint64_t offset, const void *data, size_t bytes);
    int (*truncate)(struct inode *inode, uint64_t size);
    int (*object)(struct inode *inode, bool writable, uint64_t *object);
    /* NULL: nothing is ever written, or known of how it will be used. */
    void (*errors)(struct inode *inode, uint64_t *sequence, int *last);
    void (*advise)(struct inode *inode, uint64_t first, uint64_t end, unsigned advice);
    /* Mode, owner or times have been changed. */
    void (*touched)(struct inode *inode);
    /* Content that differs from holes, in bytes of whole blocks or pages. */
    uint64_t (*stored)(struct inode *inode);
    /* Has everything written (inode NULL), or a thing and what is needed to find it. */
    int (*sync)(struct file_system *fs, struct inode *inode, enum sync_what what);
    void (*volume)(struct file_system *fs, struct volume *volume);
    /* Nobody has inodes in hand without a reference. */
    void (*settle)(struct file_system *fs);
};

struct file_system {
    const struct file_system_operations *operations;
    struct inode *root;
    uint64_t number;    /* that stat tells */
    uint32_t links_max; /* names of one inode */
    bool read_only;
    uint64_t (*now)(void);
};

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
    return (inode->mode & MODE_TYPE) == type;
}

/* Takes a reference, or gives one back. */
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);

/* Reads from a file; returns how many bytes, 0 at and behind its end. EIO, ENOSPC: it could not be loaded. */
MUST_CHECK long inode_read(struct inode *inode, uint64_t offset, void *data, size_t bytes);

/* Writes to a file and makes it longer if need be; returns how many bytes, at least one of one or more. EFBIG, ENOSPC,
 * EIO, EROFS. */
MUST_CHECK long inode_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes);

/* Makes a file `size` bytes long. EINVAL: no file; EFBIG, ENOSPC, EIO, EROFS. */
MUST_CHECK int inode_truncate(struct inode *inode, uint64_t size);

/* The memory object that holds the content of a file, where storage is in such objects; *object is 0 elsewhere.
 * `writable`: it may be written by others than the file server from now on. EIO, ENOSPC: it could not be loaded, or
 * made; EROFS. */
MUST_CHECK int inode_object(struct inode *inode, bool writable, uint64_t *object);

/* Sets the permission bits. EROFS. */
MUST_CHECK int inode_chmod(struct inode *inode, uint32_t mode);

/* Sets the owner; UINT32_MAX leaves one as it is. EROFS. */
MUST_CHECK int inode_chown(struct inode *inode, uint32_t user, uint32_t group);

/* Sets both times of a thing; TIME_KEEP leaves one as it is, TIME_NOW takes the clock's. EROFS. */
#define TIME_KEEP UINT64_MAX
#define TIME_NOW  (UINT64_MAX - 1)
MUST_CHECK int inode_set_times(struct inode *inode, uint64_t accessed, uint64_t modified);

/* Content of a file that differs from holes, in bytes of whole blocks or pages; 0 of other things. */
uint64_t inode_stored(struct inode *inode);

/* Has a thing written to where it will be found again after the power is gone, and with it whatever is needed to find
 * it. EIO, and ENOSPC: something could not be written; what has been stays. */
MUST_CHECK int inode_sync(struct inode *inode, enum sync_what what);

/* How many parts of a file's content could not be written so far, and why the last could not, 0 or negative. */
void inode_errors(struct inode *inode, uint64_t *sequence, int *last);

/* Says how pages [first, end) of a file will be used, by the numbers of POSIX_FADV_*. */
void inode_advise(struct inode *inode, uint64_t first, uint64_t end, unsigned advice);

#endif
