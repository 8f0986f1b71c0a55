/* SPDX-License-Identifier: MIT */
/*
 * The cache of a file system's own blocks; see ext2_cache.h.
 */
#include "ext2_cache.h"

#include <errno.h>
#include <string.h>

#include "memory.h"

static struct list *chain_of(struct ext2_cache *cache, uint64_t block)
{
    return &cache->table[block % EXT2_CACHE_BLOCKS];
}

int ext2_cache_init(struct ext2_cache *cache, struct block_device *device, size_t block_bytes)
{
    memset(cache, 0, sizeof(*cache));
    cache->memory = fs_allocate(EXT2_CACHE_BLOCKS * block_bytes);
    if (!cache->memory)
        return -ENOMEM;
    /* Memory that was promised is taken now, while there is some. */
    for (size_t i = 0; i < EXT2_CACHE_BLOCKS * block_bytes; i += block_bytes)
        ((volatile char *)cache->memory)[i] = 0;
    cache->device = device;
    cache->block_bytes = block_bytes;
    cache->budget = UINT64_MAX;
    list_init(&cache->uses);
    for (size_t i = 0; i < EXT2_CACHE_BLOCKS; i++) {
        cache->blocks[i].data = cache->memory + i * block_bytes;
        list_init(&cache->table[i]);
        list_push_back(&cache->uses, &cache->blocks[i].use);
    }
    return 0;
}

void ext2_cache_destroy(struct ext2_cache *cache)
{
    fs_free(cache->memory);
    cache->memory = NULL;
}

/* Bytes of a block that the device has: the last one may lie in part behind its end. */
static size_t bytes_of(const struct ext2_cache *cache, uint64_t block)
{
    const uint64_t left = cache->device->bytes - block * cache->block_bytes;
    return left < cache->block_bytes ? (size_t)left : cache->block_bytes;
}

static struct ext2_cached *find(struct ext2_cache *cache, uint64_t block)
{
    LIST_FOR_EACH (link, chain_of(cache, block)) {
        struct ext2_cached *cached = CONTAINER_OF(link, struct ext2_cached, chain);
        if (cached->block == block)
            return cached;
    }
    return NULL;
}

static void set_dirty(struct ext2_cache *cache, struct ext2_cached *cached, bool dirty)
{
    cache->dirty = cache->dirty + dirty - cached->dirty;
    cached->dirty = dirty;
    if (!dirty)
        cached->turn = EXT2_TURN_FIRST;
}

static int write_out(struct ext2_cache *cache, struct ext2_cached *cached)
{
    const int error = cache->device->write(cache->device, cached->block * cache->block_bytes, cached->data,
                                           bytes_of(cache, cached->block));
    if (error < 0)
        return -EIO;
    set_dirty(cache, cached, false);
    return 0;
}

static void forget(struct ext2_cache *cache, struct ext2_cached *cached)
{
    set_dirty(cache, cached, false);
    cached->used = false;
    list_remove(&cached->chain);
    list_remove(&cached->use);
    list_push_front(&cache->uses, &cached->use);
}

/* A block that can be used for another. Only if one operation has changed more than there should be is one written out
 * of order. */
static int take(struct ext2_cache *cache, uint64_t block, struct ext2_cached **taken)
{
    struct ext2_cached *victim = NULL;

    LIST_FOR_EACH (link, &cache->uses) {
        struct ext2_cached *cached = CONTAINER_OF(link, struct ext2_cached, use);
        if (!cached->dirty) {
            victim = cached;
            break;
        }
    }
    if (!victim) {
        victim = CONTAINER_OF(list_first(&cache->uses), struct ext2_cached, use);
        cache->early = true;
        if (write_out(cache, victim) < 0)
            return -EIO;
    }
    if (victim->used)
        forget(cache, victim);
    victim->block = block;
    victim->used = true;
    list_push_front(chain_of(cache, block), &victim->chain);
    *taken = victim;
    return 0;
}

/* The block, read if `fill` says so and it is not there. */
static int get(struct ext2_cache *cache, uint64_t block, bool fill, struct ext2_cached **got)
{
    struct ext2_cached *cached = find(cache, block);

    if (fill && cache->budget-- == 0) {
        cache->budget = 0;
        return -EIO;
    }
    if (!cached) {
        if (block >= (cache->device->bytes + cache->block_bytes - 1) / cache->block_bytes ||
            take(cache, block, &cached) < 0)
            return -EIO;
        const size_t bytes = bytes_of(cache, block);
        memset(cached->data, 0, cache->block_bytes);
        if (fill && cache->device->read(cache->device, block * cache->block_bytes, cached->data, bytes) < 0) {
            forget(cache, cached);
            return -EIO;
        }
    }
    list_remove(&cached->use);
    list_push_back(&cache->uses, &cached->use);
    *got = cached;
    return 0;
}

static size_t part_of_block(const struct ext2_cache *cache, uint64_t offset, size_t bytes)
{
    const size_t room = cache->block_bytes - offset % cache->block_bytes;
    return bytes < room ? bytes : room;
}

int ext2_cache_read(struct ext2_cache *cache, uint64_t offset, void *data, size_t bytes)
{
    struct ext2_cached *cached;

    for (size_t done = 0, part; done < bytes; done += part) {
        part = part_of_block(cache, offset + done, bytes - done);
        if (get(cache, (offset + done) / cache->block_bytes, true, &cached) < 0)
            return -EIO;
        fs_copy((char *)data + done, cached->data + (offset + done) % cache->block_bytes, part);
    }
    return 0;
}

int ext2_cache_write(struct ext2_cache *cache, uint64_t offset, const void *data, size_t bytes)
{
    struct ext2_cached *cached;

    for (size_t done = 0, part; done < bytes; done += part) {
        part = part_of_block(cache, offset + done, bytes - done);
        const uint64_t block = (offset + done) / cache->block_bytes;
        const bool known = find(cache, block) != NULL;
        if (get(cache, block, part < cache->block_bytes, &cached) < 0)
            return -EIO;
        char *place = cached->data + (offset + done) % cache->block_bytes;
        /* Bitmaps and descriptors are written whole, whatever of them has changed. */
        if (known && memcmp(place, (const char *)data + done, part) == 0)
            continue;
        memcpy(place, (const char *)data + done, part);
        set_dirty(cache, cached, true);
    }
    return 0;
}

void ext2_cache_drop(struct ext2_cache *cache, uint64_t block)
{
    struct ext2_cached *cached = find(cache, block);

    if (cached)
        forget(cache, cached);
}

void ext2_cache_revert(struct ext2_cache *cache)
{
    for (size_t i = 0; i < EXT2_CACHE_BLOCKS; i++)
        if (cache->blocks[i].dirty)
            forget(cache, &cache->blocks[i]);
}

int ext2_cache_write_block(struct ext2_cache *cache, uint64_t block)
{
    struct ext2_cached *cached = find(cache, block);

    return cached && cached->dirty ? write_out(cache, cached) : 0;
}

void ext2_cache_set_turn(struct ext2_cache *cache, uint64_t block, enum ext2_turn turn)
{
    struct ext2_cached *cached = find(cache, block);

    if (!cached || !cached->dirty)
        return;
    if (cached->turn <= EXT2_TURN_TABLES ? turn > cached->turn : turn > EXT2_TURN_TABLES && turn < cached->turn)
        cached->turn = turn;
}

long ext2_cache_write_others(struct ext2_cache *cache, uint64_t but, enum ext2_turn turn)
{
    long written = 0;
    int error = 0;

    for (size_t i = 0; i < EXT2_CACHE_BLOCKS; i++) {
        struct ext2_cached *cached = &cache->blocks[i];
        if (!cached->dirty || cached->turn > turn || cached->block == but)
            continue;
        if (write_out(cache, cached) < 0)
            error = -EIO;
        written++;
    }
    return error < 0 ? error : written;
}

bool ext2_cache_check(const struct ext2_cache *cache)
{
    size_t dirty = 0, uses = 0, used = 0, chained = 0;

    LIST_FOR_EACH (link, &cache->uses)
        uses++;
    for (size_t i = 0; i < EXT2_CACHE_BLOCKS; i++) {
        dirty += cache->blocks[i].dirty;
        used += cache->blocks[i].used;
        if (cache->blocks[i].dirty && !cache->blocks[i].used)
            return false;
        LIST_FOR_EACH (link, &cache->table[i]) {
            const struct ext2_cached *cached = CONTAINER_OF(link, struct ext2_cached, chain);
            if (!cached->used || cached->block % EXT2_CACHE_BLOCKS != i)
                return false;
            chained++;
        }
    }
    return dirty == cache->dirty && uses == EXT2_CACHE_BLOCKS && used == chained;
}
