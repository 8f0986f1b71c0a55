/* SPDX-License-Identifier: MIT */
/*
 * What libext2fs asks of others: memory, and functions of those of its files that are left out.
 */
#include "ext2_library.h"

#include <errno.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"

#define KEPT_COUNT 8u
#define KEPT_BYTES 16384u

/* In front of each block. */
struct header {
    size_t bytes;
    size_t kept; /* which of the kept blocks it is, counted from 1; 0: none */
};

static _Alignas(16) char kept[KEPT_COUNT][KEPT_BYTES];
static unsigned kept_in_use; /* a bit for each */

static struct header *take_kept(size_t bytes)
{
    if (bytes > KEPT_BYTES - sizeof(struct header))
        return NULL;
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        if (kept_in_use >> i & 1)
            continue;
        kept_in_use |= 1u << i;
        struct header *header = (struct header *)(void *)kept[i];
        header->kept = i + 1;
        return header;
    }
    return NULL;
}

void *ext2_allocate(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    struct header *header = fs_allocate(sizeof(*header) + bytes);
    if (!header)
        header = take_kept(bytes);
    if (!header)
        return NULL;
    header->bytes = bytes;
    return header + 1;
}

void *ext2_allocate_zeroed(size_t count, size_t bytes)
{
    size_t all;

    void *block = __builtin_mul_overflow(count, bytes, &all) ? NULL : ext2_allocate(all);
    if (block)
        memset(block, 0, all);
    return block;
}

void ext2_free(void *block)
{
    struct header *header = (struct header *)block - 1;

    if (!block)
        return;
    if (header->kept)
        kept_in_use &= ~(1u << (header->kept - 1));
    else
        fs_free(header);
}

void *ext2_reallocate(void *block, size_t bytes)
{
    void *larger = ext2_allocate(bytes);

    if (!larger || !block)
        return larger;
    const size_t had = ((struct header *)block - 1)->bytes;
    memcpy(larger, block, had < bytes ? had : bytes);
    ext2_free(block);
    return larger;
}

/* libext2fs has this among what makes journals. */
errcode_t ext2fs_zero_blocks2(ext2_filsys lib, blk64_t block, int count, blk64_t *failed, int *failed_count)
{
    static const char zeros[4096];

    for (int i = 0; i < count; i++) {
        const errcode_t error = io_channel_write_blk64(lib->io, block + (blk64_t)i, 1, zeros);
        if (error)
            return error;
    }
    return 0;
}

/* And this among what makes symbolic links: true if the target is where block numbers would be. */
int ext2fs_is_fast_symlink(struct ext2_inode *inode)
{
    return LINUX_S_ISLNK(inode->i_mode) && EXT2_I_SIZE(inode) < sizeof(inode->i_block);
}
