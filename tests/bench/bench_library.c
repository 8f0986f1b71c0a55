/* SPDX-License-Identifier: MIT */
/*
 * Rows about what the C library does for programs: its heap, and reading and writing files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port.h"
#include "rows.h"

#define FILE_PATH  "/tmp/bench"
#define FILE_PAGES 64UL
#define MIX_BLOCKS 256U
/* Beyond what heaps give out from what they keep. */
#define LARGE_BYTES  (1UL << 20)
#define GROWTH_BYTES (256UL << 10)
#define GROWTH_STEPS 63UL

/* Reads a file of 256 KiB, page by page, over and over; or writes it. */
static int transfer(uint64_t count, uint64_t *ticks, bool is_write)
{
    static char page[PAGE_BYTES];
    bool good = true;
    int file = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (file < 0)
        return -errno;
    for (uint64_t i = 0; i < FILE_PAGES; i++)
        good &= write(file, page, sizeof(page)) == (ssize_t)sizeof(page);
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count && good; i++) {
        if (i % FILE_PAGES == 0)
            good &= lseek(file, 0, SEEK_SET) == 0;
        ssize_t done = is_write ? write(file, page, sizeof(page)) : read(file, page, sizeof(page));
        good &= done == (ssize_t)sizeof(page);
    }
    *ticks = port_ticks() - start;
    close(file);
    unlink(FILE_PATH);
    return good ? 0 : -EIO;
}

int read_4k_cached(uint64_t count, uint64_t *ticks)
{
    return transfer(count, ticks, false);
}

int write_4k_cached(uint64_t count, uint64_t *ticks)
{
    return transfer(count, ticks, true);
}

/* Most blocks are small, some have a few KiB, few are large; they live for as long as it takes to come by again. */
static size_t mixed_size(unsigned random)
{
    const unsigned kind = random & 0xff;
    const size_t size = random >> 8 & 0xffff;

    return kind < 0xe0 ? 16 + size % 240 : kind < 0xff ? 256 + size % 8192 : 65536 + 4 * size;
}

/* A free() and a malloc() are one operation; the first bytes of each block are written. */
int malloc_mix(uint64_t count, uint64_t *ticks)
{
    static void *blocks[MIX_BLOCKS];
    unsigned random = 1;
    bool good = true;

    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count && good; i++) {
        random = random * 1664525U + 1013904223U;
        void **block = &blocks[random >> 24 & (MIX_BLOCKS - 1)];
        free(*block);
        *block = malloc(mixed_size(random >> 1));
        good &= *block != NULL;
        if (good)
            memset(*block, 1, 16);
    }
    *ticks = port_ticks() - start;
    for (unsigned i = 0; i < MIX_BLOCKS; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    return good ? 0 : -ENOMEM;
}

/* A malloc() and a free() of a block, which is written to. */
static int allocate_one(size_t size, uint64_t count, uint64_t *ticks)
{
    uint64_t start = port_ticks();
    for (uint64_t i = 0; i < count; i++) {
        volatile char *block = malloc(size);
        if (!block)
            return -ENOMEM;
        block[0] = block[size - 1] = 1;
        free((void *)block);
    }
    *ticks = port_ticks() - start;
    return 0;
}

int malloc_small(uint64_t count, uint64_t *ticks)
{
    return allocate_one(64, count, ticks);
}

int malloc_large(uint64_t count, uint64_t *ticks)
{
    return allocate_one(LARGE_BYTES, count, ticks);
}

/* A block grows step by step to GROWTH_STEPS + 1 of them; its last byte is written each time. */
static int grow(uint64_t steps)
{
    char *block = malloc(GROWTH_BYTES);

    for (uint64_t i = 2; block && i <= steps + 1; i++) {
        char *larger = realloc(block, i * GROWTH_BYTES);
        if (!larger)
            free(block);
        else
            larger[i * GROWTH_BYTES - 1] = 1;
        block = larger;
    }
    if (!block)
        return -ENOMEM;
    free(block);
    return 0;
}

int realloc_growth(uint64_t count, uint64_t *ticks)
{
    int error = 0;
    uint64_t start = port_ticks();

    for (uint64_t i = 0; i < count && error == 0; i += GROWTH_STEPS)
        error = grow(GROWTH_STEPS);
    *ticks = port_ticks() - start;
    return error;
}
