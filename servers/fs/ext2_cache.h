/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a device that hold what a file system says of itself (all but the content of files), kept in memory.
 * Changed ones stay here until the file system has them written, so that it decides on the order. All memory is taken at
 * the beginning: a read or write cannot fail for want of any. Pure. One thread; no lock.
 */
#ifndef FS_EXT2_CACHE_H
#define FS_EXT2_CACHE_H

#include <base/check.h>
#include <base/list.h>

#include "block_device.h"

#define EXT2_CACHE_BLOCKS 512u
/* When a changed block is written: what leads to blocks of a file before the inode, and, where that matters, names when what
 * they mean is there, and a name goes when the new one is there. */
enum ext2_turn {
    EXT2_TURN_FIRST,
    EXT2_TURN_TABLES,
    EXT2_TURN_NAMES,
    EXT2_TURN_NAMES_GONE,
    EXT2_TURN_LAST = EXT2_TURN_NAMES_GONE
};

/* So many may be changed; who finds more should have them written before he goes on. The others serve one operation. */
#define EXT2_CACHE_DIRTY_MAX (EXT2_CACHE_BLOCKS / 2)

struct ext2_cached {
    struct list use;   /* by last use */
    struct list chain; /* of the hash table; not used: free */
    uint64_t block;
    bool used, dirty;
    enum ext2_turn turn; /* of one that is changed */
    char *data;
};

struct ext2_cache {
    struct block_device *device;
    size_t block_bytes;
    char *memory;
    struct list uses; /* struct ext2_cached, least recently used first */
    struct list table[EXT2_CACHE_BLOCKS];
    struct ext2_cached blocks[EXT2_CACHE_BLOCKS];
    size_t dirty;
    /* Reads that the operation in hand may still make: what is on a disk must not keep the server busy for long. */
    uint64_t budget;
    bool early; /* a changed block had to be written before its time */
};

/* Begins with nothing in it. ENOMEM. */
MUST_CHECK int ext2_cache_init(struct ext2_cache *cache, struct block_device *device, size_t block_bytes);

/* Gives the memory back; what is changed and not written is lost. */
void ext2_cache_destroy(struct ext2_cache *cache);

/* Reads or writes bytes anywhere. EIO: the device fails, the range lies behind its end, or the budget is used up. A
 * write that fails has changed nothing within the block at which it failed and those behind. */
MUST_CHECK int ext2_cache_read(struct ext2_cache *cache, uint64_t offset, void *data, size_t bytes);
MUST_CHECK int ext2_cache_write(struct ext2_cache *cache, uint64_t offset, const void *data, size_t bytes);

/* Forgets a block, changed or not: it holds something else now. */
void ext2_cache_drop(struct ext2_cache *cache, uint64_t block);

/* Forgets all that is changed. */
void ext2_cache_revert(struct ext2_cache *cache);

/* Writes one block if it is changed. EIO: it stays changed. */
MUST_CHECK int ext2_cache_write_block(struct ext2_cache *cache, uint64_t block);

/* Says when a block, if it is changed, is written; with several turns of names it has the first. */
void ext2_cache_set_turn(struct ext2_cache *cache, uint64_t block, enum ext2_turn turn);

/* Writes all that is changed and has had its turn by then, but one block; returns how many. EIO: what could not be written stays
 * changed. */
MUST_CHECK long ext2_cache_write_others(struct ext2_cache *cache, uint64_t but, enum ext2_turn turn);

/* True if counts and lists agree. */
bool ext2_cache_check(const struct ext2_cache *cache);

#endif
