/* SPDX-License-Identifier: MIT */
/*
 * What the files of the tmpfs share and nobody else uses.
 */
#ifndef FS_TMPFS_INTERNAL_H
#define FS_TMPFS_INTERNAL_H

#include "tmpfs.h"

struct tmpfs_inode {
    struct inode inode;
    union {
        struct {
            struct storage storage;
            uint64_t source; /* not 0: where the seed has the content, which is not loaded yet; see struct tmpfs */
        };
        struct {
            struct list entries; /* struct tmpfs_entry, by cookie; the directory's size is their number */
            uint64_t next_cookie;
            const struct tmpfs_entry *entry; /* the directory's name; NULL: the root, or removed */
        };
        char *target; /* symbolic link */
    };
};

/* A name in a directory. */
struct tmpfs_entry {
    struct list link;          /* in the directory */
    struct tmpfs_entry *chain; /* in the hash table */
    struct inode *directory, *inode;
    uint64_t cookie; /* counts up in a directory; "." is 0, ".." is 1 */
    uint32_t hash;
    uint32_t length;
    char name[]; /* zero-terminated */
};

static inline struct tmpfs *tmpfs_of(const struct inode *inode)
{
    return CONTAINER_OF(inode->fs, struct tmpfs, fs);
}

static inline struct tmpfs_inode *tmpfs_inode_of(const struct inode *inode)
{
    return CONTAINER_OF(inode, struct tmpfs_inode, inode);
}

/* --- tmpfs_inode.c --- */

/* A new inode without names, times now, one reference (the caller's). NULL: no memory. */
MUST_CHECK struct inode *tmpfs_inode_new(struct tmpfs *tmpfs, uint32_t mode);

void tmpfs_release(struct inode *inode);
MUST_CHECK long tmpfs_read(struct inode *inode, uint64_t offset, void *data, size_t bytes);
MUST_CHECK long tmpfs_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes);
MUST_CHECK int tmpfs_truncate(struct inode *inode, uint64_t size);
MUST_CHECK int tmpfs_object(struct inode *inode, bool writable, uint64_t *object);
uint64_t tmpfs_stored(struct inode *inode);

/* --- tmpfs_entry.c --- */

/* The entry of that name in a directory; NULL if there is none. */
struct tmpfs_entry *entry_find(const struct inode *directory, const char *name, size_t length);

/* A new entry, in no directory yet. NULL: no memory. */
MUST_CHECK struct tmpfs_entry *entry_new(const char *name, size_t length);

/* Puts a new entry into a directory as a name of `inode`: links, parent and times follow. The name is not there yet. */
void entry_insert(struct inode *directory, struct tmpfs_entry *entry, struct inode *inode);

/* Takes an entry out and frees it; its inode loses the link, and is freed with the last one if nobody holds it. */
void entry_remove(struct tmpfs_entry *entry);

/* Lets an entry name another inode instead; the old one is treated as entry_remove() does. */
void entry_replace(struct tmpfs_entry *entry, struct inode *inode);

/* Makes room in the hash table for one more entry, if there is memory for that. */
void entries_grow(struct tmpfs *tmpfs);

#endif
