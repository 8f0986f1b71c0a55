/* SPDX-License-Identifier: MIT */
/*
 * libext2fs's I/O manager: its reads and writes go to the cache.
 */
#include <stdlib.h>

#include "ext2_internal.h"
#include "memory.h"

static struct ext2_cache *cache_of(io_channel channel)
{
    return channel->private_data;
}

static errcode_t channel_open(const char *name, int flags, io_channel *channel)
{
    io_channel opened = fs_allocate(sizeof(*opened));

    if (!opened)
        return EXT2_ET_NO_MEMORY;
    opened->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    opened->manager = &ext2_io_manager;
    opened->block_size = 1024;
    opened->refcount = 1;
    opened->private_data = (void *)strtoul(name, NULL, 16);
    *channel = opened;
    return 0;
}

static errcode_t channel_close(io_channel channel)
{
    if (--channel->refcount == 0)
        fs_free(channel);
    return 0;
}

static errcode_t channel_set_block_size(io_channel channel, int bytes)
{
    channel->block_size = bytes;
    return 0;
}

/* The range that libext2fs means: `count` blocks, or, negated, bytes. False: there is no such range. */
static bool range_of(io_channel channel, unsigned long long block, int count, uint64_t *offset, size_t *bytes)
{
    const uint64_t device_bytes = cache_of(channel)->device->bytes;

    *bytes = count < 0 ? (size_t) - (long)count : (size_t)count * (size_t)channel->block_size;
    return !__builtin_mul_overflow(block, (uint64_t)channel->block_size, offset) && *offset <= device_bytes &&
           *bytes <= device_bytes - *offset;
}

static errcode_t channel_read64(io_channel channel, unsigned long long block, int count, void *data)
{
    uint64_t offset;
    size_t bytes;

    if (!range_of(channel, block, count, &offset, &bytes) ||
        ext2_cache_read(cache_of(channel), offset, data, bytes) < 0)
        return EXT2_ET_SHORT_READ;
    return 0;
}

static errcode_t channel_write64(io_channel channel, unsigned long long block, int count, const void *data)
{
    uint64_t offset;
    size_t bytes;

    if (!range_of(channel, block, count, &offset, &bytes) ||
        ext2_cache_write(cache_of(channel), offset, data, bytes) < 0)
        return EXT2_ET_SHORT_WRITE;
    ext2_note_tables(CONTAINER_OF(cache_of(channel), struct ext2, cache), offset, bytes);
    return 0;
}

static errcode_t channel_read(io_channel channel, unsigned long block, int count, void *data)
{
    return channel_read64(channel, block, count, data);
}

static errcode_t channel_write(io_channel channel, unsigned long block, int count, const void *data)
{
    return channel_write64(channel, block, count, data);
}

/* The order of writing is made by ext2_sync(). */
static errcode_t channel_flush(io_channel channel)
{
    return 0;
}

struct struct_io_manager ext2_io_manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "cache",
    .open = channel_open,
    .close = channel_close,
    .set_blksize = channel_set_block_size,
    .read_blk = channel_read,
    .write_blk = channel_write,
    .flush = channel_flush,
    .read_blk64 = channel_read64,
    .write_blk64 = channel_write64,
};
