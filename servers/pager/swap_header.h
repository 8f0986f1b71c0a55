/* SPDX-License-Identifier: MIT */
/* The first page of a volume for swapped pages, as mkswap writes it. */
#ifndef PAGER_SWAP_HEADER_H
#define PAGER_SWAP_HEADER_H

#include <base/check.h>
#include <stddef.h>
#include <stdint.h>

#define SWAP_HEADER_BYTES 4096u
#define SWAP_BAD_MAX      637u /* numbers of bad pages that fit the header */

struct swap_header_use {
    uint64_t volume;
    uint64_t slots; /* pages, the header included */
    uint32_t bad_count;
    uint32_t bad[SWAP_BAD_MAX];
};

/* Reads what a header says, of a volume of `pages`: slots and bad pages. EINVAL: it is none, or of more pages than there
 * are. */
MUST_CHECK int swap_header_parse(const void *page, uint64_t pages, struct swap_header_use *use);

/* The same for a volume of the block server by its name. What that says: ENOENT, EIO; ENOMEM; EROFS. Waits for the disk. */
MUST_CHECK int swap_header_read(const char *name, struct swap_header_use *use);

#endif
