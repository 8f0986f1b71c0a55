/* SPDX-License-Identifier: MIT */
/*
 * Where the file server's memory comes from. Every piece is asked for through these, so that a machine that runs out of
 * memory gives the client an error and never the server a fault, and so that host tests can let each of them fail.
 * One thread; no lock.
 */
#ifndef FS_MEMORY_H
#define FS_MEMORY_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed block of `bytes` bytes for a record; NULL if there is no memory. */
MUST_CHECK void *fs_allocate(size_t bytes);

/* Gives a block of fs_allocate() back. NULL is allowed. */
void fs_free(void *block);

/* A zeroed page for content; NULL if there is no memory, or if all pages that files may take are taken. */
MUST_CHECK void *fs_page_get(void);

/* Gives a page of fs_page_get() back. */
void fs_page_put(void *page);

/* Copies content between memory of the server's that does not overlap: many bytes at once. */
void fs_copy(void *restrict to, const void *restrict from, size_t bytes);

/* True if `pages` pages can be taken, and enough are left then to others. */
MUST_CHECK bool fs_is_room(uint64_t pages);

/* Pages that content may take, and those that it cannot any more, be they content or not. */
struct fs_page_count {
    uint64_t used, limit;
};
struct fs_page_count fs_page_count(void);

#endif
