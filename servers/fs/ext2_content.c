/* SPDX-License-Identifier: MIT */
/*
 * The content of files of an ext2 file system. It is in pages that the pager brings and writes back (ext2_pages.h), so what
 * is here decides on sizes, and finds blocks for what is written.
 *
 * Blocks are found after the bytes are in their pages: a page that has a block that was never written to is in memory,
 * dirty, until it is. Whether there is room is looked at before.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"

#define RELATIME_NS  (24UL * 3600 * 1000000000)
#define SECTOR_BYTES 512u

/* Begins with the file's content, if that was not done. */
static int open_pages(struct ext2_node *node)
{
    if (ext2_pages_are_open(&node->pages))
        return 0;
    node->tail_is_zero = node->inode.size % PAGE_SIZE == 0;
    return ext2_pages_open(&node->pages, ext2_of(&node->inode), ext2_cookie(node), node->inode.size);
}

/* --- Reading --- */

/* A time that only tells of reading is not worth a write each time. */
static void note_read(struct inode *inode)
{
    const uint64_t now = inode->fs->now();

    if (!inode->fs->read_only && (inode->accessed <= inode->modified || now - inode->accessed > RELATIME_NS)) {
        inode->accessed = now;
        node_of(inode)->dirty = true;
    }
}

long ext2_read(struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
    struct ext2_node *node = node_of(inode);

    const int error = open_pages(node);
    if (error < 0)
        return error;
    const long got = ext2_pages_read(&node->pages, offset, data, bytes);
    if (got > 0)
        note_read(inode);
    return got;
}

/* --- Writing --- */

/* How many of the bytes there is room for on the device, and whether blocks are to be found for some. EFBIG, ENOSPC: for
 * none; EIO. Lock: the file system's. */
static long room_for(struct ext2_node *node, uint64_t offset, size_t bytes, bool *holes)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t left = ext2_blocks_free(ext2), block;
    size_t got = 0;

    *holes = false;
    int error = ext2_size_check(node, offset + bytes);
    if (error == -EFBIG)
        error = ext2_size_check(node, offset + 1);
    while (error == 0 && got < bytes) {
        const size_t room = ext2->block_bytes - (offset + got) % ext2->block_bytes;
        ext2_begin(ext2);
        error = ext2_map(node, (offset + got) / ext2->block_bytes, false, &block);
        if (error == 0 && !block && left < EXT2_BLOCKS_AT_ONCE)
            error = -ENOSPC;
        left -= error == 0 && !block;
        *holes |= !block;
        if (error == 0)
            got += bytes - got < room ? bytes - got : room;
    }
    return got > 0 ? (long)got : error;
}

/* Finds blocks for bytes that are in their pages; returns how many bytes have some, from the first on. */
static size_t take_blocks(struct ext2_node *node, uint64_t offset, size_t bytes, int *error)
{
    const struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block;
    size_t got = 0;

    for (*error = 0; got < bytes;) {
        const size_t room = ext2->block_bytes - (offset + got) % ext2->block_bytes;
        ext2_begin(ext2_of(&node->inode));
        *error = ext2_map(node, (offset + got) / ext2->block_bytes, true, &block);
        if (*error < 0)
            return got;
        got += bytes - got < room ? bytes - got : room;
    }
    return got;
}

/* True if a part of the page in which a size lies is on the device. */
static bool has_blocks(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    const uint64_t first = (size >> PAGE_SHIFT) * ext2->blocks_per_page;
    bool found = false;
    uint64_t block;

    ext2_lock(ext2);
    ext2_begin(ext2);
    for (uint64_t i = 0; i < ext2->blocks_per_page && !found; i++)
        found = ext2_map(node, first + i, false, &block) < 0 || block;
    ext2_unlock(ext2);
    return found;
}

/* Has what lies behind the file's last byte in its page zero, before the file becomes longer: who maps it may have written
 * there. */
static int clear_tail(struct ext2_node *node)
{
    const uint64_t size = node->inode.size, rest = size % PAGE_SIZE ? PAGE_SIZE - size % PAGE_SIZE : 0;

    if (rest == 0 || node->tail_is_zero || (!node->shared_writable && !has_blocks(node, size)))
        return 0;
    /* The page is the file's up to its end, so that the rest can be written. */
    int error = ext2_pages_resize(&node->pages, size + rest);
    for (uint64_t done = 0; error == 0 && done < rest;) {
        const long part = ext2_pages_write(&node->pages, size + done, NULL, rest - done);
        error = part < 0 ? (int)part : 0;
        done += part < 0 ? 0 : (uint64_t)part;
    }
    node->tail_is_zero = error == 0 && !node->shared_writable;
    return error;
}

/* Makes the object, but not the file, so long, if it is shorter. */
static int grow(struct ext2_node *node, uint64_t size)
{
    if (size <= node->inode.size)
        return 0;
    const int error = clear_tail(node);
    return error < 0 ? error : ext2_pages_resize(&node->pages, size);
}

/* Bytes have been written that found no block: they are zeros again, as in every hole. */
static void take_back(struct ext2_node *node, uint64_t offset, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const long part = ext2_pages_write(&node->pages, offset + done, NULL, bytes - done);
        if (part < 0)
            return;
        done += (size_t)part;
    }
}

/* Writes bytes for which there is room, and makes the file longer: either all of them have blocks (no `hole`), or they lie in
 * one that is to be found, or behind the file's end. */
static long write_piece(struct ext2_node *node, uint64_t offset, const void *data, size_t bytes, bool hole)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    int error = grow(node, offset + bytes);
    if (error < 0)
        return error;
    const long stored = ext2_pages_write(&node->pages, offset, data, bytes);
    size_t kept = 0;
    ext2_lock(ext2);
    if (stored > 0)
        kept = hole ? take_blocks(node, offset, (size_t)stored, &error) : (size_t)stored;
    if (kept > 0 && offset + kept > node->inode.size) {
        node->inode.size = offset + kept;
        node->resized = true;
    }
    ext2_unlock(ext2);
    if (stored > 0 && kept < (size_t)stored)
        take_back(node, offset + kept, (size_t)stored - kept);
    if (kept < bytes && offset + bytes > node->inode.size)
        (void)!ext2_pages_resize(&node->pages, node->inode.size); /* nothing was written there */
    return kept > 0 ? (long)kept : error < 0 ? error : stored;
}

/* The next piece of bytes that are written: within the file, where there are holes, a block at a time, so that one for which
 * there is nothing after all can be taken back. */
static size_t piece_of(const struct ext2_node *node, uint64_t offset, size_t bytes, bool holes)
{
    const uint32_t block_bytes = ext2_of(&node->inode)->block_bytes;
    const size_t room = block_bytes - offset % block_bytes;

    return !holes || offset >= node->inode.size || bytes < room ? bytes : room;
}

/* True if a block is to be found for a piece. */
static int is_hole(struct ext2_node *node, uint64_t offset, bool *hole)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    uint64_t block = 0;

    *hole = true;
    if (offset >= node->inode.size)
        return 0;
    ext2_lock(ext2);
    ext2_begin(ext2);
    const int error = ext2_map(node, offset / ext2->block_bytes, false, &block);
    ext2_unlock(ext2);
    *hole = block == 0;
    return error;
}

static long write_bytes(struct ext2_node *node, uint64_t offset, const void *data, size_t bytes, bool holes)
{
    size_t done = 0;

    while (done < bytes) {
        const size_t piece = piece_of(node, offset + done, bytes - done, holes);
        bool hole = false;
        const int error = holes ? is_hole(node, offset + done, &hole) : 0;
        const long written =
            error < 0 ? error : write_piece(node, offset + done, (const char *)data + done, piece, hole);
        if (written > 0)
            done += (size_t)written;
        if (written < (long)piece)
            return done > 0 ? (long)done : written;
    }
    return (long)done;
}

long ext2_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes)
{
    struct ext2_node *node = node_of(inode);

    const int error = open_pages(node);
    if (error < 0)
        return error;
    long room;
    bool holes;
    do {
        ext2_lock(ext2_of(inode));
        room = room_for(node, offset, bytes, &holes);
        ext2_unlock(ext2_of(inode));
    } while (ext2_sync_made_room(ext2_of(inode), room));
    node->written |= room > 0; /* also if it fails: pages have changed */
    const long written = room > 0 ? write_bytes(node, offset, data, (size_t)room, holes) : room;
    if (written > 0) {
        inode->modified = inode->changed = inode->fs->now();
        node->dirty = true;
    }
    return written;
}

/* --- Sizes --- */

/* Has the rest of the page in which a size lies zero. Of a page that is nowhere on the device memsrv does it. */
static int clear_behind(struct ext2_node *node, uint64_t size)
{
    const uint64_t page_end = size - size % PAGE_SIZE + PAGE_SIZE;
    const uint64_t end = page_end < node->inode.size ? page_end : node->inode.size;

    if (size % PAGE_SIZE == 0 || !has_blocks(node, size))
        return 0;
    while (size < end) {
        const long part = ext2_pages_write(&node->pages, size, NULL, end - size);
        if (part < 0)
            return (int)part;
        size += (uint64_t)part;
    }
    return 0;
}

int ext2_content_settle(struct ext2_node *node)
{
    return ext2_pages_use(&node->pages).transit ? ext2_pages_sync(&node->pages) : 0;
}

static int shrink(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    int error = clear_behind(node, size);
    if (error == 0)
        error = ext2_pages_resize(&node->pages, size);
    if (error < 0)
        return error;
    node->tail_is_zero = !node->shared_writable;
    /* No block is given back while the disk may be writing to it. What that says of other pages is told to who asks. */
    (void)!ext2_content_settle(node);
    ext2_lock(ext2);
    ext2_begin(ext2);
    node->inode.size = size;
    node->resized = true;
    error = ext2_unmap_from(node, (size + ext2->block_bytes - 1) / ext2->block_bytes);
    error = error < 0 ? ext2_fail(ext2, error) : 0;
    ext2_unlock(ext2);
    return error;
}

static int lengthen(struct ext2_node *node, uint64_t size)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    ext2_lock(ext2);
    int error = ext2_size_check(node, size);
    ext2_unlock(ext2);
    if (error == 0)
        error = grow(node, size);
    if (error < 0)
        return error;
    ext2_lock(ext2);
    node->inode.size = size;
    node->resized = true;
    ext2_unlock(ext2);
    node->tail_is_zero = !node->shared_writable;
    return 0;
}

int ext2_truncate(struct inode *inode, uint64_t size)
{
    struct ext2_node *node = node_of(inode);

    int error = open_pages(node);
    node->written |= error == 0;
    if (error == 0 && size < inode->size)
        error = shrink(node, size);
    else if (error == 0 && size > inode->size)
        error = lengthen(node, size);
    if (error < 0)
        return error;
    inode->modified = inode->changed = inode->fs->now();
    node->dirty = true;
    return 0;
}

/* --- For others --- */

int ext2_object(struct inode *inode, bool writable, uint64_t *object)
{
    struct ext2_node *node = node_of(inode);

    const int error = open_pages(node);
    if (error < 0)
        return error;
    if (writable) {
        node->shared_writable = true;
        node->tail_is_zero = false;
    }
    *object = ext2_pages_object(&node->pages);
    return 0;
}

void ext2_errors(struct inode *inode, uint64_t *sequence, int *last)
{
    ext2_pages_errors(&node_of(inode)->pages, sequence, last);
}

void ext2_advise(struct inode *inode, uint64_t first, uint64_t end, unsigned advice)
{
    struct ext2_node *node = node_of(inode);

    if (open_pages(node) == 0)
        ext2_pages_advise(&node->pages, first, end, advice);
}

uint64_t ext2_stored(struct inode *inode)
{
    struct ext2 *ext2 = ext2_of(inode);
    struct ext2_inode disk;

    if (ext2fs_read_inode(ext2->lib, ino_of(node_of(inode)), &disk))
        return 0;
    return ext2fs_inode_i_blocks(ext2->lib, &disk) * SECTOR_BYTES;
}
