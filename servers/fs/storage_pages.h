/* SPDX-License-Identifier: MIT */
/*
 * What storage.c asks of the implementation besides storage_init(), storage_extend(), storage_release(),
 * storage_page_count() and storage_check(). Each is for storage.c alone.
 */
#ifndef FS_STORAGE_PAGES_H
#define FS_STORAGE_PAGES_H

#include "storage.h"

/* The page at an index below the size; NULL if it is not present. It stays where it is until the next call of any
 * function. ENOSPC: there is no memory to look at it. */
MUST_CHECK int storage_page_find(struct storage *storage, uint64_t index, char **page);

/* The same, but takes the page, zeroed, if it is not present. ENOSPC. */
MUST_CHECK int storage_page_take(struct storage *storage, uint64_t index, char **page);

/* Makes the storage `size` bytes long, not more than it was. Pages wholly behind that are given back; the rest of the
 * last one is the caller's to zero. ENOSPC as for storage_cut(). */
MUST_CHECK int storage_shrink(struct storage *storage, uint64_t size);

#endif
