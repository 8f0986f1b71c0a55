/* SPDX-License-Identifier: MIT */
/*
 * What libext2fs is compiled with instead of the C library's: memory from where all of the file server's comes from, so
 * that it can run out without harm; a few blocks are kept so that what has begun can be ended.
 */
#ifndef FS_EXT2_LIBRARY_H
#define FS_EXT2_LIBRARY_H

#include <stddef.h>

void *ext2_allocate(size_t bytes);
void *ext2_allocate_zeroed(size_t count, size_t bytes);
void *ext2_reallocate(void *block, size_t bytes);
void ext2_free(void *block);

#endif
