/* SPDX-License-Identifier: MIT */
/*
 * The first allocator of a boot: which physical memory there is, which of it is taken, and memory for the structures
 * that come before the buddy allocator. Two sorted arrays of fixed capacity; neighbours are merged.
 *
 * In every call: addresses and sizes are bytes; one thread only, so no lock; a failure changes nothing.
 */
#ifndef MM_MEMBLOCK_H
#define MM_MEMBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>
#include <quire/abi.h>

#define MEMBLOCK_REGIONS_MAX 128u

struct memblock_region {
    uint64_t base, size;
};

struct memblock_list {
    uint32_t count;
    struct memblock_region regions[MEMBLOCK_REGIONS_MAX]; /* by address, apart by at least one byte */
};

struct memblock {
    struct memblock_list memory;   /* what exists */
    struct memblock_list reserved; /* what is taken; may reach over what exists */
};

/* Makes a memblock that knows of no memory. */
void memblock_init(struct memblock *memblock);

/* Notes that memory exists at [base, base+size). May overlap what is known. EINVAL: empty or wraps; ENOSPC: the array
 * is full. */
MUST_CHECK int memblock_add(struct memblock *memblock, uint64_t base, uint64_t size);

/* Notes that [base, base+size) is taken, whether or not memory exists there. May overlap what is taken already.
 * EINVAL: empty or wraps; ENOSPC: the array is full. */
MUST_CHECK int memblock_reserve(struct memblock *memblock, uint64_t base, uint64_t size);

struct memblock_request {
    uint64_t size;
    uint64_t alignment; /* a power of two */
    uint64_t low, high; /* the result lies in [low, high); high 0: anywhere above low */
};

/* Takes the highest free range that fits and reserves it. EINVAL: size 0 or bad alignment; ENOMEM: nothing fits;
 * ENOSPC: the array is full. */
MUST_CHECK int memblock_alloc(struct memblock *memblock, const struct memblock_request *request, uint64_t *base);

/*
 * Walks what exists and is not taken, upwards. *cursor starts as 0 and is the walk's state; true if *region holds the
 * next range, false at the end. memblock_next_free_pages() gives whole pages only and skips ranges without any.
 */
bool memblock_next_free(const struct memblock *memblock, uint64_t *cursor, struct memblock_region *region);
bool memblock_next_free_pages(const struct memblock *memblock, uint64_t *cursor, struct memblock_region *region);

/* The bytes that exist; the bytes that exist and are taken. */
uint64_t memblock_memory_size(const struct memblock *memblock);
uint64_t memblock_reserved_size(const struct memblock *memblock);

/* Walks both arrays. 0, or EIO (negative) if one is not sorted, merged and within its capacity. */
MUST_CHECK int memblock_check(const struct memblock *memblock);

#endif
