/* SPDX-License-Identifier: MIT */
/*
 * The content of one file of a disk: a backed memory object, whose pages the pager brings and writes back. Reading,
 * writing and mapping are about the same pages. Whoever calls waits for the pager, who asks for blocks by ext2_blocks.c:
 * so the file system's lock is not held. One thread calls. ENOMEM: no memory.
 */
#ifndef FS_EXT2_PAGES_H
#define FS_EXT2_PAGES_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ext2;

struct ext2_pages {
    uint64_t object; /* its number; 0: not open */
};

/* What else there is of the content of a file that is open. */
struct ext2_pages_use {
    uint64_t others;  /* areas of programs, and grants */
    uint64_t transit; /* pages that a disk may be reading or writing */
};

static inline bool ext2_pages_are_open(const struct ext2_pages *pages)
{
    return pages->object != 0;
}

/* Begins with the content of a file that has so many bytes. ENOMEM. */
MUST_CHECK int ext2_pages_open(struct ext2_pages *pages, struct ext2 *ext2, uint64_t cookie, uint64_t size);

/* Ends it; what was not written is lost. Whoever maps the content keeps what is in memory. */
void ext2_pages_close(struct ext2_pages *pages);

/* Reads or writes within the size; `data` NULL: zeros. Returns the bytes done, at least one, or EIO, ENOMEM. */
MUST_CHECK long ext2_pages_read(struct ext2_pages *pages, uint64_t offset, void *data, size_t bytes);
MUST_CHECK long ext2_pages_write(struct ext2_pages *pages, uint64_t offset, const void *data, size_t bytes);

/* Changes the size; what is cut off leaves all mappings, and what lies behind the last byte in its page is zero. ENOMEM: it is
 * as it was. */
MUST_CHECK int ext2_pages_resize(struct ext2_pages *pages, uint64_t size);

/* Pages [first, end) read as zeros, unless they are somewhere else. */
MUST_CHECK int ext2_pages_discard(struct ext2_pages *pages, uint64_t first, uint64_t end);

/* Has all that is dirty written, and waits for that, and for what was being written; the device is not flushed. EIO,
 * ENOSPC: some could not be, and stays dirty; ENOMEM. */
MUST_CHECK int ext2_pages_sync(struct ext2_pages *pages);

/* Tells how the content will be used, by a number of POSIX. */
void ext2_pages_advise(struct ext2_pages *pages, uint64_t first, uint64_t end, unsigned advice);

struct ext2_pages_use ext2_pages_use(const struct ext2_pages *pages);

/* Pages that could not be written so far, and the last reason, 0 or negative. */
void ext2_pages_errors(const struct ext2_pages *pages, uint64_t *sequence, int *last);

/* The number of memsrv's object. */
static inline uint64_t ext2_pages_object(const struct ext2_pages *pages)
{
    return pages->object;
}

#endif
