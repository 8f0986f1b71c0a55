/* SPDX-License-Identifier: MIT */
/*
 * A file system in memory: names, what they mean, and the content of regular files. Pure: no messages and no globals,
 * so that the same files run in host tests. One thread; no lock. What is done to it is in inode.h and tree.h.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "inode.h"

#define TMPFS_HARD_MAX 32767u /* names of one inode */

/* Numbers of inodes are below this as long as there are so few: C libraries exist whose ino_t has 16 bits. */
#define TMPFS_SHORT_NUMBERS 65536u

struct tmpfs_entry;

struct tmpfs {
    struct file_system fs;
    uint64_t numbers[TMPFS_SHORT_NUMBERS / 64]; /* a bit for each short number in use; 0 is none */
    uint64_t last_number;                       /* that was given out; the next one is looked for behind it */
    uint64_t next_long_number;                  /* for when no short one is free */
    uint64_t inodes, entries;                   /* that exist */
    struct tmpfs_entry **buckets;               /* of the names, by directory and name */
    uint64_t bucket_count;                      /* a power of two */
    /* Reads content of a seeded file: bytes [offset, offset + bytes) of `source`. 0 or a negative errno. */
    int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes);
};

/* Makes a file system with an empty root directory. ENOMEM. */
MUST_CHECK int tmpfs_init(struct tmpfs *tmpfs, uint64_t (*now)(void),
                          int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes));

/* Frees everything. No inode is referenced any more. */
void tmpfs_destroy(struct tmpfs *tmpfs);

/* True if all counts, links and names agree. Takes time in proportion to the whole. */
bool tmpfs_check(const struct tmpfs *tmpfs);

#endif
