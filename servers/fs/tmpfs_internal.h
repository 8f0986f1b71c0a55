/* SPDX-License-Identifier: MIT */
/*
 * What the files of the tmpfs share and nobody else uses.
 */
#ifndef FS_TMPFS_INTERNAL_H
#define FS_TMPFS_INTERNAL_H

#include "tmpfs.h"

/* A new inode without names, times now, one reference (the caller's). NULL: no memory. */
MUST_CHECK struct inode *inode_new(struct tmpfs *fs, uint32_t mode);

/* The entry of that name in a directory; NULL if there is none. */
struct entry *entry_find(const struct tmpfs *fs, const struct inode *directory, const char *name, size_t length);

/* A new entry, in no directory yet. NULL: no memory. */
MUST_CHECK struct entry *entry_new(const char *name, size_t length);

/* Puts a new entry into a directory as a name of `inode`: links, parent and times follow. The name is not there yet. */
void entry_insert(struct tmpfs *fs, struct inode *directory, struct entry *entry, struct inode *inode);

/* Takes an entry out and frees it; its inode loses the link, and is freed with the last one if nobody holds it. */
void entry_remove(struct tmpfs *fs, struct entry *entry);

/* Lets an entry name another inode instead; the old one is treated as entry_remove() does. */
void entry_replace(struct tmpfs *fs, struct entry *entry, struct inode *inode);

/* Makes room in the hash table for one more entry, if there is memory for that. */
void entries_grow(struct tmpfs *fs);

#endif
