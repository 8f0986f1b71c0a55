/* SPDX-License-Identifier: MIT */
/*
 * What the files of the ext2 back end share and nobody else uses. Functions return 0 or a negative errno unless they
 * say otherwise.
 *
 * There are two threads: the one that serves files, and the one that tells the pager where their pages are
 * (ext2_blocks.c). A lock guards libext2fs, the cache and the device, the table of inodes and what is marked below; the
 * functions here want it held unless they say otherwise. Nobody holds it who waits for the pager: ext2_pages.h, and whoever
 * calls that.
 */
#ifndef FS_EXT2_INTERNAL_H
#define FS_EXT2_INTERNAL_H

#include <ext2fs/ext2fs.h>
#include <pthread.h>
#include <quire/abi.h>

#include "ext2.h"
#include "ext2_blocks.h"
#include "ext2_cache.h"
#include "ext2_pages.h"

#define EXT2_TABLE          256u /* chains of inodes in memory */
#define EXT2_IDLE_MAX       256u /* inodes without a reference that stay in memory */
#define EXT2_REPLACED_MAX   256u /* inodes whose names mean others, before the next sync */
#define EXT2_BLOCKS_AT_ONCE 8u   /* that a block more in a file may take, with all that leads to it */

/* An inode in memory. A directory keeps its parent there, so that the parents of all are a tree whatever is on disk. */
struct ext2_node {
    struct inode inode;
    struct list chain;  /* of the table */
    struct list member; /* of the idle ones, of the orphans, or of the replaced ones; else of nothing */
    bool idle, orphan;
    bool replaced;           /* an orphan whose name means another, which the disk does not have yet */
    bool dirty;              /* other than on disk */
    unsigned children;       /* directories in memory that this one is the parent of */
    char *name;              /* inode.name, the node's own */
    struct ext2_pages pages; /* of a file: its content, if anybody has asked for it */
    bool shared_writable;    /* programs may write to them */
    bool tail_is_zero;       /* what lies behind the last byte in its page */
    bool written;            /* to them since the last sync */
    bool resized;            /* since the inode was last written */
    bool allocated;          /* blocks were found since content was last written; the lock */
};

struct ext2 {
    struct file_system fs;
    struct block_device *device;
    struct ext2_cache cache;
    ext2_filsys lib;
    uint32_t block_bytes, blocks_per_page;
    bool was_valid;     /* on disk, when it was mounted */
    bool with_types;    /* entries of directories tell types */
    size_t entry_limit; /* bytes of a directory's block that entries may use */
    struct list table[EXT2_TABLE];
    struct list idle, orphans; /* struct ext2_node; idle: least recently used first */
    struct list replaced;      /* struct ext2_node: orphans once the disk has the names that are theirs no more */
    uint64_t idle_count, node_count, replaced_count;
    bool renaming; /* just now */
    bool renamed;  /* since the last sync; and the directories from and to which names went, if from one to another */
    const struct inode *moved_from, *moved_to;
    ext2fs_block_bitmap tables; /* blocks that hold no file's content, and lead to none */
    ext2fs_block_bitmap freed;  /* given back since the last sync */
    uint64_t freed_count;
    uint32_t generation; /* of this mount, a part of cookies */
    pthread_mutex_t lock;
    char *block_buffer; /* one block, of a directory */
    char *lib_buffer;   /* four blocks, for libext2fs */
};

static inline struct ext2 *ext2_of(const struct inode *inode)
{
    return CONTAINER_OF(inode->fs, struct ext2, fs);
}

static inline struct ext2_node *node_of(const struct inode *inode)
{
    return CONTAINER_OF(inode, struct ext2_node, inode);
}

static inline void ext2_lock(struct ext2 *ext2)
{
    (void)!pthread_mutex_lock(&ext2->lock);
}

static inline void ext2_unlock(struct ext2 *ext2)
{
    (void)!pthread_mutex_unlock(&ext2->lock);
}

static inline ext2_ino_t ino_of(const struct ext2_node *node)
{
    return (ext2_ino_t)node->inode.number;
}

/* --- ext2_channel.c --- */

/* libext2fs's way to the cache. The name that it opens is the cache's address in hexadecimal. */
extern struct struct_io_manager ext2_io_manager;

/* --- ext2_tables.c --- */

/* Notes where inodes, bitmaps and descriptors of groups are. */
MUST_CHECK int ext2_tables_init(struct ext2 *ext2);
void ext2_tables_destroy(struct ext2 *ext2);

/* Blocks of the range that are such tables, and changed, are written in their turn. */
void ext2_note_tables(struct ext2 *ext2, uint64_t offset, uint64_t bytes);

/* --- ext2_mount.c --- */

/* What an error of libext2fs means. */
MUST_CHECK int ext2_error(errcode_t error);

/* Begins an operation: sets libext2fs's clock and what it may read. */
void ext2_begin(struct ext2 *ext2);

/* A change could not be carried out as a whole: from now on the file system is read-only, and nothing is written. Gives
 * the error back. */
int ext2_fail(struct ext2 *ext2, int error);

/* --- ext2_node.c --- */

/* The inode of that number, found in `directory` by that name; both are NULL for the root. EIO, ENOMEM. */
MUST_CHECK int ext2_node_find(struct ext2 *ext2, ext2_ino_t ino, struct ext2_node *directory, const char *name,
                              size_t length, struct ext2_node **node);

/* A record for an inode that is not in memory: no references, of no type. NULL: no memory. */
MUST_CHECK struct ext2_node *ext2_node_new(struct ext2 *ext2, ext2_ino_t ino);

/* Frees the record. */
void ext2_node_free(struct ext2_node *node);

/* Lets a directory be found in another by a name, whose memory it takes over. */
void ext2_node_place(struct ext2_node *node, struct ext2_node *directory, char *name);

/* A removed directory is nowhere. */
void ext2_node_unplace(struct ext2_node *node);

/* A node that nobody holds joins the idle ones, or is taken out of them. Among them are some that are held again: they
 * are found out when one has to go. */
void ext2_node_idle(struct ext2_node *node);
void ext2_node_busy(struct ext2_node *node);

/* Brings the inode on disk, that is in the cache, up to date. */
MUST_CHECK int ext2_node_write(struct ext2_node *node);

/* Gives an inode without names and references, and its blocks, back. */
MUST_CHECK int ext2_node_delete(struct ext2_node *node);

/* Those that were replaced are orphans like others. */
void ext2_orphans_join(struct ext2 *ext2);

/* Frees idle nodes that are too many, and orphans that nobody has any more. The lock is not held. */
void ext2_settle(struct file_system *fs);

/* The last reference is gone. The lock is not held. */
void ext2_release(struct inode *inode);
void ext2_touched(struct inode *inode);

/* --- ext2_directory.c --- */

MUST_CHECK int ext2_directory_find(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t *ino);

/* Makes room for one more name, so that ext2_directory_add() can only fail with EIO. ENOSPC. */
MUST_CHECK int ext2_directory_reserve(struct ext2_node *directory, size_t length);
MUST_CHECK int ext2_directory_add(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t ino,
                                  uint32_t mode);
MUST_CHECK int ext2_directory_remove(struct ext2_node *directory, const char *name, size_t length);

/* Lets a name that is there mean another inode. */
MUST_CHECK int ext2_directory_set(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t ino,
                                  uint32_t mode);

/* Writes the first block of a new directory. ENOSPC. */
MUST_CHECK int ext2_directory_begin(struct ext2_node *directory, ext2_ino_t parent);

int ext2_lookup(struct inode *directory, const char *name, size_t length, struct inode **inode);
int ext2_list(struct inode *directory, uint64_t cookie, list_function function, void *argument);

/* --- ext2_names.c --- */

int ext2_create(struct inode *directory, const char *name, size_t length, const struct new_inode *new,
                struct inode **inode);
int ext2_link(struct inode *directory, const char *name, size_t length, struct inode *inode);
int ext2_unlink(struct inode *directory, const char *name, size_t length, struct inode *inode);
int ext2_rename(struct inode *from, const char *from_name, size_t from_length, struct inode *inode, struct inode *to,
                const char *to_name, size_t to_length, struct inode *replaced);
/* True if a renaming must not be written with those since the last sync: they need an order of blocks that contradicts its. */
MUST_CHECK bool ext2_rename_waits(const struct inode *from, const struct inode *to);
long ext2_readlink(struct inode *inode, char *target, size_t bytes);

/* --- ext2_map.c --- */

/* The block of the device that holds a block of an inode; 0: none, a hole. With `allocate` there is one then, which holds
 * anything if it is new. EIO, ENOSPC, EFBIG. */
MUST_CHECK int ext2_map(struct ext2_node *node, uint64_t index, bool allocate, uint64_t *block);

/* Gives all blocks of an inode from `first` on back. An error leaves the inode in a state that must not be written. */
MUST_CHECK int ext2_unmap_from(struct ext2_node *node, uint64_t first);

/* EFBIG: an inode cannot have so many bytes. */
MUST_CHECK int ext2_size_check(struct ext2_node *node, uint64_t size);

/* --- ext2_freed.c --- */

MUST_CHECK int ext2_freed_init(struct ext2 *ext2);
void ext2_freed_destroy(struct ext2 *ext2);

/* Blocks that can be had now. */
uint64_t ext2_blocks_free(const struct ext2 *ext2);

/* What was given back is free in what is written from now on; and after that: `written` or not. */
void ext2_freed_release(struct ext2 *ext2);
void ext2_freed_settle(struct ext2 *ext2, bool written);

/* --- ext2_blocks.c --- */

/* What memsrv and the pager call the content of a file. Any lock. */
uint64_t ext2_cookie(const struct ext2_node *node);

/* --- ext2_content.c: the lock is not held, but for ext2_stored() --- */

long ext2_read(struct inode *inode, uint64_t offset, void *data, size_t bytes);
long ext2_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes);
int ext2_truncate(struct inode *inode, uint64_t size);
int ext2_object(struct inode *inode, bool writable, uint64_t *object);
void ext2_errors(struct inode *inode, uint64_t *sequence, int *last);
void ext2_advise(struct inode *inode, uint64_t first, uint64_t end, unsigned advice);
uint64_t ext2_stored(struct inode *inode);

/* Waits until the disk does not write to any block of the file that pages which were cut off had. EIO, ENOSPC: others could
 * not be written; ENOMEM. */
MUST_CHECK int ext2_content_settle(struct ext2_node *node);

/* --- ext2_sync.c --- */

/* True if there is more room now, because there was none and a sync has made some. The lock is not held. */
MUST_CHECK bool ext2_sync_made_room(struct ext2 *ext2, long error);

/* The lock is not held. */
int ext2_sync(struct file_system *fs, struct inode *inode, enum sync_what what);

/* Has the content of a file that is open written, as far as it differs. The lock is not held. */
MUST_CHECK int ext2_content_write(struct ext2_node *node);

/* Gives orphans that an earlier mount left back. The lock is not held. */
MUST_CHECK int ext2_orphans_recover(struct ext2 *ext2);

/* --- ext2_operations.c --- */

/* What file systems do, with the lock taken. */
extern const struct file_system_operations ext2_operations;

#endif
