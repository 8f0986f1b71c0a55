/* SPDX-License-Identifier: MIT */
/*
 * Windows on pages of files that are in memory: read-only mappings of parts of their objects, through which what is read again
 * and again, or in order, is copied without a request to memsrv. memsrv takes no page away while an area of the file server's
 * shows it, so a page that was found in a window can be touched until the file is cut there; therefore there are few windows.
 * One thread; no lock.
 */
#ifndef FS_EXT2_WINDOWS_H
#define FS_EXT2_WINDOWS_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies bytes of one page of an object, if a window shows it. False: none does. */
MUST_CHECK bool ext2_windows_read(uint64_t object, uint64_t offset, void *data, size_t bytes);

/* A page was read in another way: if that goes on, a window is made for it. */
void ext2_windows_learn(uint64_t object, uint64_t index);

/* Pages [first, end) of an object are not there any more. */
void ext2_windows_forget(uint64_t object, uint64_t first, uint64_t end);

/* Gives up all windows of an object. */
void ext2_windows_close(uint64_t object);

/* How many areas show the object. */
uint64_t ext2_windows_count(uint64_t object);

#endif
