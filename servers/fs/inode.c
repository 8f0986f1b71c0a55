/* SPDX-License-Identifier: MIT */
/*
 * What holds for inodes of all file systems; see inode.h.
 */
#include "inode.h"

#include <errno.h>

void inode_get(struct inode *inode)
{
    inode->references++;
}

void inode_put(struct inode *inode)
{
    ASSERT(inode->references > 0);
    if (--inode->references == 0)
        inode->fs->operations->release(inode);
}

long inode_read(struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
    if (offset >= inode->size || bytes == 0)
        return 0;
    if (bytes > inode->size - offset)
        bytes = inode->size - offset;
    return inode->fs->operations->read(inode, offset, data, bytes);
}

long inode_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes)
{
    if (inode->fs->read_only)
        return -EROFS;
    if (bytes == 0)
        return 0;
    if (offset >= STORAGE_BYTES_MAX)
        return -EFBIG;
    if (bytes > STORAGE_BYTES_MAX - offset)
        bytes = STORAGE_BYTES_MAX - offset;
    return inode->fs->operations->write(inode, offset, data, bytes);
}

int inode_truncate(struct inode *inode, uint64_t size)
{
    if (!inode_is(inode, MODE_FILE))
        return -EINVAL;
    if (inode->fs->read_only)
        return -EROFS;
    return size > STORAGE_BYTES_MAX ? -EFBIG : inode->fs->operations->truncate(inode, size);
}

int inode_object(struct inode *inode, bool writable, uint64_t *object)
{
    *object = 0;
    if (writable && inode->fs->read_only)
        return -EROFS;
    return inode->fs->operations->object(inode, writable, object);
}

int inode_chmod(struct inode *inode, uint32_t mode)
{
    if (inode->fs->read_only)
        return -EROFS;
    inode->mode = (inode->mode & MODE_TYPE) | (mode & MODE_BITS);
    inode->changed = inode->fs->now();
    inode->fs->operations->touched(inode);
    return 0;
}

int inode_chown(struct inode *inode, uint32_t user, uint32_t group)
{
    if (inode->fs->read_only)
        return -EROFS;
    if (user != UINT32_MAX)
        inode->user = user;
    if (group != UINT32_MAX)
        inode->group = group;
    inode->changed = inode->fs->now();
    inode->fs->operations->touched(inode);
    return 0;
}

int inode_set_times(struct inode *inode, uint64_t accessed, uint64_t modified)
{
    if (inode->fs->read_only)
        return -EROFS;
    const uint64_t now = inode->fs->now();

    if (accessed != TIME_KEEP)
        inode->accessed = accessed == TIME_NOW ? now : accessed;
    if (modified != TIME_KEEP)
        inode->modified = modified == TIME_NOW ? now : modified;
    inode->changed = now;
    inode->fs->operations->touched(inode);
    return 0;
}

uint64_t inode_stored(struct inode *inode)
{
    return inode_is(inode, MODE_FILE) ? inode->fs->operations->stored(inode) : 0;
}

int inode_sync(struct inode *inode, enum sync_what what)
{
    return inode->fs->operations->sync(inode->fs, inode, what);
}

void inode_errors(struct inode *inode, uint64_t *sequence, int *last)
{
    *sequence = 0;
    *last = 0;
    if (inode_is(inode, MODE_FILE) && inode->fs->operations->errors)
        inode->fs->operations->errors(inode, sequence, last);
}

void inode_advise(struct inode *inode, uint64_t first, uint64_t end, unsigned advice)
{
    if (inode_is(inode, MODE_FILE) && inode->fs->operations->advise)
        inode->fs->operations->advise(inode, first, end, advice);
}
