/* SPDX-License-Identifier: MIT */
/* From cookies and pages to blocks: see ext2_blocks.h. */
#include "ext2_blocks.h"

#include <errno.h>
#include <string.h>

#include "ext2_internal.h"

uint64_t ext2_cookie(const struct ext2_node *node)
{
    return (uint64_t)ext2_of(&node->inode)->generation << 32 | ino_of(node);
}

/* The file that the cookie is about; NULL: it is none, or another mount's. */
static struct ext2_node *find_file(struct ext2 *ext2, uint64_t cookie)
{
    const ext2_ino_t ino = (ext2_ino_t)cookie;

    LIST_FOR_EACH (link, &ext2->table[ino % EXT2_TABLE]) {
        struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, chain);
        if (ext2_cookie(node) == cookie)
            return inode_is(&node->inode, MODE_FILE) ? node : NULL;
    }
    return NULL;
}

/* The block that holds a block of the file, for writing: there is one then. */
static int take_block(struct ext2_node *node, uint64_t index, uint64_t *block)
{
    if (node->inode.fs->read_only)
        return -EROFS;
    return ext2_map(node, index, true, block);
}

/* Adds a page to the runs. False: there is no room. */
static bool add_run(struct ext2_run *runs, size_t max, size_t *found, uint64_t block)
{
    struct ext2_run *last = *found ? &runs[*found - 1] : NULL;

    if (last && (block == EXT2_RUN_HOLE ? last->block == block
                                        : last->block != EXT2_RUN_HOLE && block == last->block + last->count)) {
        last->count++;
        return true;
    }
    if (*found == max)
        return false;
    runs[(*found)++] = (struct ext2_run){.block = block, .count = 1};
    return true;
}

static int map_pages(struct ext2_node *node, uint64_t index, uint64_t count, bool allocate, struct ext2_run *runs,
                     size_t max, size_t *found)
{
    uint64_t block;

    for (uint64_t i = 0; i < count; i++) {
        const int error = allocate ? take_block(node, index + i, &block) : ext2_map(node, index + i, false, &block);
        if (error < 0)
            return i > 0 ? 0 : error;
        if (!add_run(runs, max, found, block ? block : EXT2_RUN_HOLE))
            return 0;
    }
    return 0;
}

int ext2_blocks_map(struct ext2 *ext2, uint64_t cookie, uint64_t index, uint64_t count, bool allocate,
                    struct ext2_run *runs, size_t max, size_t *found)
{
    int error = -ENOENT;

    *found = 0;
    ext2_lock(ext2);
    struct ext2_node *node = find_file(ext2, cookie);
    if (node && ext2->blocks_per_page > 1) {
        runs[(*found)++] = (struct ext2_run){.block = EXT2_RUN_SERVED, .count = count};
        error = 0;
    } else if (node) {
        ext2_begin(ext2);
        error = map_pages(node, index, count, allocate, runs, max, found);
    }
    ext2_unlock(ext2);
    return error;
}

static int read_block(struct ext2_node *node, uint64_t index, char *data)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block;

    const int error = ext2_map(node, index, false, &block);
    if (error < 0)
        return error;
    if (block)
        return ext2->device->read(ext2->device, block * ext2->block_bytes, data, ext2->block_bytes) < 0 ? -EIO : 0;
    memset(data, 0, ext2->block_bytes);
    return 0;
}

int ext2_blocks_read(struct ext2 *ext2, uint64_t cookie, uint64_t offset, void *data, size_t bytes)
{
    ext2_lock(ext2);
    struct ext2_node *node = find_file(ext2, cookie);
    int error = node ? 0 : -ENOENT;
    ext2_begin(ext2);
    for (size_t done = 0; error == 0 && done < bytes; done += ext2->block_bytes)
        error = read_block(node, (offset + done) / ext2->block_bytes, (char *)data + done);
    ext2_unlock(ext2);
    return error;
}

static bool is_zero(const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i])
            return false;
    return true;
}

static int write_block(struct ext2_node *node, uint64_t index, const char *data)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block;

    int error = ext2_map(node, index, false, &block);
    if (error < 0 || (!block && is_zero(data, ext2->block_bytes)))
        return error;
    error = take_block(node, index, &block);
    if (error < 0)
        return error;
    return ext2->device->write(ext2->device, block * ext2->block_bytes, data, ext2->block_bytes) < 0 ? -EIO : 0;
}

int ext2_blocks_write(struct ext2 *ext2, uint64_t cookie, uint64_t offset, const void *data, size_t bytes)
{
    ext2_lock(ext2);
    struct ext2_node *node = find_file(ext2, cookie);
    int error = node ? 0 : -ENOENT;
    ext2_begin(ext2);
    for (size_t done = 0; error == 0 && done < bytes && offset + done < node->inode.size; done += ext2->block_bytes)
        error = write_block(node, (offset + done) / ext2->block_bytes, (const char *)data + done);
    ext2_unlock(ext2);
    return error;
}
