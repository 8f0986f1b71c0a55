/* SPDX-License-Identifier: MIT */
/*
 * The content of files of an ext2 file system. Pages of it are in memory, in the file's storage, where programs can map
 * them; here they are read from the device, and blocks are found for what is written. A page that is not in memory is
 * as the device has it.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"
#include "storage_pages.h"

#define BOUNCE_PAGES (EXT2_BOUNCE / PAGE_SIZE)
#define RELATIME_NS  (24UL * 3600 * 1000000000)
#define SECTOR_BYTES 512u

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static size_t part_of_page(uint64_t offset, size_t bytes)
{
    const size_t room = PAGE_SIZE - offset % PAGE_SIZE;
    return bytes < room ? bytes : room;
}

/* --- From the device --- */

/* The blocks of a page, each 0 where there is a hole. */
struct page_blocks {
    uint64_t block[PAGE_SIZE / 1024];
};

static int map_page(struct ext2_node *node, uint64_t index, struct page_blocks *blocks)
{
    const struct ext2 *ext2 = ext2_of(&node->inode);
    bool fresh;
    int error = 0;

    for (uint64_t i = 0; error == 0 && i < ext2->blocks_per_page; i++)
        error = ext2_map(node, index * ext2->blocks_per_page + i, false, &blocks->block[i], &fresh);
    return error;
}

/* True if the page's blocks are one behind another, from `first` on. */
static bool is_run(const struct ext2 *ext2, const struct page_blocks *blocks, uint64_t first)
{
    for (uint64_t i = 0; i < ext2->blocks_per_page; i++)
        if (blocks->block[i] == 0 || blocks->block[i] != first + i)
            return false;
    return true;
}

static bool is_hole(const struct ext2 *ext2, const struct page_blocks *blocks)
{
    for (uint64_t i = 0; i < ext2->blocks_per_page; i++)
        if (blocks->block[i])
            return false;
    return true;
}

/* Reads one page, block by block, into the bounce buffer. */
static int read_scattered(struct ext2 *ext2, const struct page_blocks *blocks)
{
    memset(ext2->bounce, 0, PAGE_SIZE);
    for (uint64_t i = 0; i < ext2->blocks_per_page; i++) {
        if (!blocks->block[i])
            continue;
        if (ext2->device->read(ext2->device, blocks->block[i] * ext2->block_bytes, ext2->bounce + i * ext2->block_bytes,
                               ext2->block_bytes) < 0)
            return -EIO;
    }
    return 0;
}

/* Reads a page, and those behind it that lie behind it on the device, too, into the bounce buffer. Sets *count, at most
 * `most`; 0: the page is a hole, and nothing was read. */
static int read_run(struct ext2_node *node, uint64_t index, uint64_t most, uint64_t *count)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct page_blocks blocks;

    *count = 0;
    const int error = map_page(node, index, &blocks);
    if (error < 0 || is_hole(ext2, &blocks))
        return error;
    *count = 1;
    const uint64_t first = blocks.block[0];
    if (!is_run(ext2, &blocks, first))
        return read_scattered(ext2, &blocks);
    while (*count < most && map_page(node, index + *count, &blocks) == 0 &&
           is_run(ext2, &blocks, first + *count * ext2->blocks_per_page))
        ++*count;
    return ext2->device->read(ext2->device, first * ext2->block_bytes, ext2->bounce, *count * PAGE_SIZE) < 0 ? -EIO : 0;
}

/* --- In memory --- */

/* Makes storage so long, if it is shorter. ENOSPC: no memory. */
static int grow(struct ext2_node *node, uint64_t bytes)
{
    if (bytes <= node->storage_bytes)
        return 0;
    const int error = storage_extend(&node->storage, bytes);
    if (error == 0)
        node->storage_bytes = bytes;
    return error;
}

/* Takes a page of storage that is not present. ENOSPC: no memory. */
static int take_page(struct ext2_node *node, uint64_t index, char **page)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    int error = grow(node, node->inode.size);
    if (error == 0)
        error = storage_page_take(&node->storage, index, page);
    if (error < 0)
        return -ENOSPC;
    node->pages++;
    ext2->pages++;
    return 0;
}

/* Copies what the bounce buffer holds of pages [index, index + count) into storage. That there is no memory is no
 * error: they are read again when they are needed. */
static void keep_run(struct ext2_node *node, uint64_t index, uint64_t count)
{
    const struct ext2 *ext2 = ext2_of(&node->inode);
    char *page;

    for (uint64_t i = 0; i < count; i++) {
        if (storage_page_find(&node->storage, index + i, &page) < 0 || page)
            continue;
        if (take_page(node, index + i, &page) < 0 || !page)
            return;
        fs_copy(page, ext2->bounce + i * PAGE_SIZE, PAGE_SIZE);
        /* What lies behind the end of the file is zero in memory, whatever the device has there. */
        if ((index + i + 1) * PAGE_SIZE > node->inode.size)
            memset(page + node->inode.size % PAGE_SIZE, 0, PAGE_SIZE - node->inode.size % PAGE_SIZE);
    }
}

/* Copies a part of a page that is within the file. */
static int read_part(struct ext2_node *node, uint64_t offset, void *data, size_t bytes)
{
    const uint64_t index = offset >> PAGE_SHIFT;
    uint64_t count, most = pages_of(node->inode.size) - index;
    char *page;

    int error = storage_page_find(&node->storage, index, &page);
    if (error < 0)
        return error;
    if (page) {
        fs_copy(data, page + offset % PAGE_SIZE, bytes);
        return 0;
    }
    error = read_run(node, index, most < BOUNCE_PAGES ? most : BOUNCE_PAGES, &count);
    if (error < 0)
        return error;
    if (count == 0) {
        memset(data, 0, bytes);
        return 0;
    }
    fs_copy(data, ext2_of(&node->inode)->bounce + offset % PAGE_SIZE, bytes);
    keep_run(node, index, count);
    return 0;
}

long ext2_read(struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
    struct ext2_node *node = node_of(inode);

    for (size_t done = 0; done < bytes;) {
        ext2_begin(ext2_of(inode));
        const size_t part = part_of_page(offset + done, bytes - done);
        const int error = read_part(node, offset + done, (char *)data + done, part);
        if (error < 0)
            return done > 0 ? (long)done : error;
        done += part;
    }
    /* A time that only tells of reading is not worth a write each time. */
    const uint64_t now = inode->fs->now();
    if (!inode->fs->read_only && (inode->accessed <= inode->modified || now - inode->accessed > RELATIME_NS)) {
        inode->accessed = now;
        node->dirty = true;
    }
    return (long)bytes;
}

/* --- Writing --- */

/* The page at an index, in memory, as it is or, without `fill`, with anything in it. */
static int page_for_change(struct ext2_node *node, uint64_t index, bool fill, char **page)
{
    uint64_t count = 0;

    int error = storage_page_find(&node->storage, index, page);
    if (error < 0 || *page)
        return error;
    if (fill && index < pages_of(node->inode.size)) {
        error = read_run(node, index, 1, &count);
        if (error < 0)
            return error;
        keep_run(node, index, count);
        error = storage_page_find(&node->storage, index, page);
        if (error < 0 || *page)
            return error;
    }
    return count > 0 ? -ENOSPC : take_page(node, index, page);
}

/* Finds blocks for bytes of the file; *got are those that have some, from the first on. */
static int map_bytes(struct ext2_node *node, uint64_t offset, size_t bytes, size_t *got)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block;
    bool fresh;

    for (*got = 0; *got < bytes;) {
        const size_t room = ext2->block_bytes - (offset + *got) % ext2->block_bytes;
        ext2_begin(ext2);
        const int error = ext2_map(node, (offset + *got) / ext2->block_bytes, true, &block, &fresh);
        if (error < 0)
            return error;
        /* The zeros that libext2fs has put there are not to be written over what is. */
        if (fresh)
            ext2_cache_drop(&ext2->cache, block);
        *got += bytes - *got < room ? bytes - *got : room;
    }
    return 0;
}

static void mark_dirty(struct ext2_node *node, uint64_t index)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    ext2->dirty_page_count -= ext2_ranges_total(&node->dirty_pages);
    ext2_ranges_add(&node->dirty_pages, index, index + 1);
    ext2->dirty_page_count += ext2_ranges_total(&node->dirty_pages);
}

/* A page was taken to be written whole, and only its first `got` bytes are: gives it the rest of what the device has. */
static int restore_rest(struct ext2_node *node, uint64_t index, size_t got)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct page_blocks blocks;
    char *page = NULL;

    ext2_begin(ext2);
    int error = map_page(node, index, &blocks);
    if (error == 0)
        error = read_scattered(ext2, &blocks);
    if (error == 0)
        error = storage_page_find(&node->storage, index, &page);
    if (error < 0)
        return ext2_fail(ext2, error);
    if (page)
        memcpy(page + got, ext2->bounce + got, PAGE_SIZE - got);
    return 0;
}

/* Writes a part of a page. *got bytes of it are written, also with an error. */
static int write_part(struct ext2_node *node, uint64_t offset, const void *data, size_t bytes, size_t *got)
{
    const uint64_t index = offset >> PAGE_SHIFT;
    char *page;

    *got = 0;
    int error = page_for_change(node, index, bytes < PAGE_SIZE, &page);
    if (error < 0)
        return error;
    error = map_bytes(node, offset, bytes, got);
    /* Looking for blocks calls nobody else, so the page is where it was. */
    fs_copy(page + offset % PAGE_SIZE, data, *got);
    if (*got > 0)
        mark_dirty(node, index);
    if (*got < bytes && bytes == PAGE_SIZE) {
        const int failed = restore_rest(node, index, *got);
        error = failed < 0 ? failed : error;
    }
    return error;
}

/* Has the rest of the file's last page zero, before the file becomes longer: programs that map it may have written
 * there. */
static void clear_tail(struct ext2_node *node)
{
    const uint64_t size = node->inode.size;
    char *page;

    if (size % PAGE_SIZE && storage_page_find(&node->storage, size >> PAGE_SHIFT, &page) == 0 && page)
        memset(page + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
}

static long write_pages(struct ext2_node *node, uint64_t offset, const void *data, size_t bytes)
{
    size_t done = 0, got = 0;
    int error = 0;

    while (error == 0 && done < bytes) {
        const size_t part = part_of_page(offset + done, bytes - done);
        error = write_part(node, offset + done, (const char *)data + done, part, &got);
        done += got;
        if (offset + done > node->inode.size && got > 0)
            node->inode.size = offset + done;
    }
    return done > 0 ? (long)done : error;
}

/* Makes storage no longer than that. ENOSPC: no memory for what that takes; nothing has changed. */
static int cut_storage(struct ext2_node *node, uint64_t size)
{
    if (node->storage_bytes <= size)
        return 0;
    const int error = storage_cut(&node->storage, size);
    if (error == 0)
        node->storage_bytes = size;
    return error;
}

/* Makes room for a file of that size in memory and on the device. */
static int prepare_size(struct ext2_node *node, uint64_t size)
{
    const int error = ext2_size_check(node, size);

    return error < 0 ? error : grow(node, size) < 0 ? -ENOSPC : 0;
}

long ext2_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes)
{
    struct ext2_node *node = node_of(inode);
    const uint64_t size = inode->size;

    ext2_begin(ext2_of(inode));
    if (offset + bytes > size) {
        int error = prepare_size(node, offset + bytes);
        if (error == -EFBIG)
            error = prepare_size(node, offset + 1);
        if (error < 0)
            return error;
        clear_tail(node);
    }
    long written = write_pages(node, offset, data, bytes);
    if (written == -ENOSPC && ext2_of(inode)->pages > 0) {
        /* It may be memory that is wanting, and not blocks. */
        ext2_content_shrink(ext2_of(inode));
        written = grow(node, offset + bytes) < 0 ? -ENOSPC : write_pages(node, offset, data, bytes);
    }
    (void)!cut_storage(node, inode->size); /* nothing was written there */
    if (written > 0) {
        inode->modified = inode->changed = inode->fs->now();
        node->dirty = true;
    }
    return written;
}

/* Cuts pages off that lie behind a size, in memory. ENOSPC as above. */
static int cut_pages(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    const uint64_t first = pages_of(size);

    const int error = cut_storage(node, size);
    if (error < 0)
        return error;
    ext2->dirty_page_count -= ext2_ranges_total(&node->dirty_pages);
    ext2_ranges_cut(&node->dirty_pages, first);
    ext2->dirty_page_count += ext2_ranges_total(&node->dirty_pages);
    ext2->pages -= node->pages;
    node->pages = storage_page_count(&node->storage);
    ext2->pages += node->pages;
    return 0;
}

/* Has the rest of the page in which a size lies read, if it has blocks, so that it can be made zero. */
static int load_tail(struct ext2_node *node, uint64_t size)
{
    const uint64_t index = size >> PAGE_SHIFT;
    struct page_blocks blocks;
    char *page;

    if (size % PAGE_SIZE == 0)
        return 0;
    const int error = map_page(node, index, &blocks);
    if (error < 0 || is_hole(ext2_of(&node->inode), &blocks))
        return error;
    const int failed = page_for_change(node, index, true, &page);
    if (failed == 0)
        mark_dirty(node, index);
    return failed;
}

static int shrink(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    int error = load_tail(node, size);
    if (error == 0)
        error = cut_pages(node, size);
    if (error < 0)
        return error;
    ext2_begin(ext2);
    error = ext2_unmap_from(node, (size + ext2->block_bytes - 1) / ext2->block_bytes);
    return error < 0 ? ext2_fail(ext2, error) : 0;
}

int ext2_truncate(struct inode *inode, uint64_t size)
{
    struct ext2_node *node = node_of(inode);
    int error = 0;

    ext2_begin(ext2_of(inode));
    if (size < inode->size) {
        error = shrink(node, size);
    } else if (size > inode->size) {
        error = prepare_size(node, size);
        clear_tail(node);
    }
    if (error < 0)
        return error;
    inode->size = size;
    inode->modified = inode->changed = inode->fs->now();
    node->dirty = true;
    return 0;
}

/* --- For others --- */

/* Whoever maps the object finds pages there, or zeros: so all that is not a hole has to be there. */
static int load_all(struct ext2_node *node)
{
    const uint64_t end = pages_of(node->inode.size);
    char *page;

    for (uint64_t index = 0, count; index < end; index += count ? count : 1) {
        ext2_begin(ext2_of(&node->inode));
        count = 0;
        int error = storage_page_find(&node->storage, index, &page);
        if (error < 0)
            return error;
        if (page)
            continue;
        error = read_run(node, index, end - index < BOUNCE_PAGES ? end - index : BOUNCE_PAGES, &count);
        if (error < 0)
            return error;
        keep_run(node, index, count);
        if (count > 0 && (storage_page_find(&node->storage, index + count - 1, &page) < 0 || !page))
            return -ENOSPC;
    }
    return 0;
}

int ext2_object(struct inode *inode, bool writable, uint64_t *object)
{
    struct ext2_node *node = node_of(inode);

    int error = storage_object(&node->storage) ? grow(node, inode->size) : storage_extend(&node->storage, inode->size);
    if (error == 0 && !node->shared)
        error = load_all(node);
    if (error < 0)
        return error;
    node->shared = true;
    node->shared_writable |= writable;
    *object = storage_object(&node->storage);
    return 0;
}

uint64_t ext2_stored(struct inode *inode)
{
    struct ext2 *ext2 = ext2_of(inode);
    struct ext2_inode disk;

    if (ext2fs_read_inode(ext2->lib, ino_of(node_of(inode)), &disk))
        return 0;
    return ext2fs_inode_i_blocks(ext2->lib, &disk) * SECTOR_BYTES;
}
