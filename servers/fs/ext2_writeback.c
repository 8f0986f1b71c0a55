/* SPDX-License-Identifier: MIT */
/*
 * From pages in memory to the device.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"
#include "storage_pages.h"

/* Blocks that lie one behind another on the device, collected in the bounce buffer. */
struct run {
    struct ext2 *ext2;
    uint64_t first, count; /* blocks */
    int error;
};

static void run_write(struct run *run)
{
    struct ext2 *ext2 = run->ext2;

    if (run->count == 0)
        return;
    for (uint64_t i = 0; i < run->count; i++)
        ext2_cache_drop(&ext2->cache, run->first + i);
    if (ext2->device->write(ext2->device, run->first * ext2->block_bytes, ext2->bounce,
                            run->count * ext2->block_bytes) < 0)
        run->error = -EIO;
    ext2->unflushed = true;
    run->count = 0;
}

static void run_add(struct run *run, uint64_t block, const char *content, size_t bytes)
{
    const struct ext2 *ext2 = run->ext2;

    if (run->count == EXT2_BOUNCE / ext2->block_bytes || block != run->first + run->count)
        run_write(run);
    if (run->count == 0)
        run->first = block;
    char *place = ext2->bounce + run->count++ * ext2->block_bytes;
    fs_copy(place, content, bytes);
    memset(place + bytes, 0, ext2->block_bytes - bytes);
}

static bool is_zero(const char *content, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (content[i])
            return false;
    return true;
}

/* Adds the blocks of a page, as far as they lie in the file. Where there is a hole, others may have written by way of a
 * mapping: only that needs a block. */
static void add_page(struct run *run, struct ext2_node *node, uint64_t index, const char *page)
{
    struct ext2 *ext2 = run->ext2;
    const uint64_t size = node->inode.size;

    for (uint64_t i = 0; i < ext2->blocks_per_page; i++) {
        const uint64_t place = index * PAGE_SIZE + i * ext2->block_bytes;
        const char *content = page + i * ext2->block_bytes;
        uint64_t block = 0;
        bool fresh = false;

        if (place >= size)
            return;
        const size_t bytes = size - place < ext2->block_bytes ? size - place : ext2->block_bytes;
        const bool allocate = node->shared_writable && !is_zero(content, bytes);
        ext2_begin(ext2);
        const int error = ext2_map(node, index * ext2->blocks_per_page + i, allocate, &block, &fresh);
        if (error < 0)
            run->error = error;
        else if (block)
            run_add(run, block, content, bytes);
    }
}

static void add_range(struct run *run, struct ext2_node *node, uint64_t first, uint64_t end)
{
    char *page;

    for (uint64_t index = first; index < end && !run->ext2->fs.read_only; index++) {
        if (storage_page_find(&node->storage, index, &page) < 0)
            run->error = -EIO;
        else if (page)
            add_page(run, node, index, page);
    }
}

int ext2_content_write(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct run run = {.ext2 = ext2};

    if (ext2->fs.read_only)
        return 0;
    if (node->shared_writable)
        add_range(&run, node, 0, (node->inode.size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    else
        for (size_t i = 0; i < node->dirty_pages.count; i++)
            add_range(&run, node, node->dirty_pages.ranges[i].first, node->dirty_pages.ranges[i].end);
    run_write(&run);
    if (run.error == 0) {
        ext2->dirty_page_count -= ext2_ranges_total(&node->dirty_pages);
        node->dirty_pages.count = 0;
    }
    return run.error;
}

void ext2_content_drop(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    storage_release(&node->storage);
    node->storage_bytes = 0;
    ext2->dirty_page_count -= ext2_ranges_total(&node->dirty_pages);
    node->dirty_pages.count = 0;
    ext2->pages -= node->pages;
    node->pages = 0;
}

void ext2_content_shrink(struct ext2 *ext2)
{
    for (size_t i = 0; i < EXT2_TABLE; i++) {
        LIST_FOR_EACH (link, &ext2->table[i]) {
            struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, chain);
            if (node->pages > 0 && !node->shared && ext2_content_write(node) == 0)
                ext2_content_drop(node);
        }
    }
}
