/* SPDX-License-Identifier: MIT */
/*
 * The content of one regular file: pages, taken when they are written, by page number. A page that was never written
 * reads as zeros and costs nothing. Offsets and lengths are bytes. The storage has the size of the file, and behind it
 * every byte is zero. One thread; no lock.
 */
#ifndef FS_STORAGE_H
#define FS_STORAGE_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No file is larger than this. */
#define STORAGE_BYTES_MAX (1UL << 36)

struct page_table;

/* Where the pages are depends on the implementation of storage_pages.h that is linked. */
struct storage {
    union {
        struct page_table *table; /* storage_pages.c; NULL: none yet */
        uint64_t object;          /* storage_object.c: memsrv's number; 0: none yet */
    };
};

/* Makes an empty storage. */
void storage_init(struct storage *storage);

/* Makes the storage at least `size` bytes long. ENOSPC: it is as it was. */
MUST_CHECK int storage_extend(struct storage *storage, uint64_t size);

/*
 * Writes as many of the bytes as there is memory for, at `offset`, and returns how many, at least one. ENOSPC: none.
 * The range is not empty and lies within the size.
 */
MUST_CHECK long storage_write(struct storage *storage, uint64_t offset, const void *data, size_t bytes);

/* Reads the bytes at `offset`, within the size; zeros where nothing was written. ENOSPC: no memory to look at them. */
MUST_CHECK int storage_read(struct storage *storage, uint64_t offset, void *data, size_t bytes);

/* Makes the storage `size` bytes long, which is not more than it was, and gives back what lies behind. ENOSPC: there is no
 * memory for what that takes; it is as it was. */
MUST_CHECK int storage_cut(struct storage *storage, uint64_t size);

/* Gives everything back; the storage is then empty. Whoever maps the content keeps it. */
void storage_release(struct storage *storage);

/* The number of memsrv's object that holds the content; 0 if storage is elsewhere. Call storage_extend() before. */
uint64_t storage_object(const struct storage *storage);

/* Pages that are present. */
uint64_t storage_page_count(const struct storage *storage);

/* Walks the whole; false if the counts do not agree. */
bool storage_check(const struct storage *storage);

#endif
