/* SPDX-License-Identifier: MIT */
/*
 * Inodes and the content of regular files.
 */
#include <errno.h>
#include <quire/abi.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

/* A number that no inode has. */
static uint64_t number_take(struct tmpfs *fs)
{
    for (uint64_t i = 1; i <= TMPFS_SHORT_NUMBERS; i++) {
        const uint64_t number = (fs->last_number + i) % TMPFS_SHORT_NUMBERS;
        uint64_t *word = &fs->numbers[number / 64];
        if (*word == UINT64_MAX) {
            i += 63 - number % 64;
        } else if (!(*word >> number % 64 & 1)) {
            *word |= 1UL << number % 64;
            fs->last_number = number;
            return number;
        }
    }
    return fs->next_long_number++;
}

static void number_put(struct tmpfs *fs, uint64_t number)
{
    if (number < TMPFS_SHORT_NUMBERS)
        fs->numbers[number / 64] &= ~(1UL << number % 64);
}

struct inode *inode_new(struct tmpfs *fs, uint32_t mode)
{
    struct inode *inode = fs_allocate(sizeof(*inode));

    if (!inode)
        return NULL;
    inode->number = number_take(fs);
    inode->mode = mode;
    inode->references = 1;
    inode->accessed = inode->modified = inode->changed = fs->now();
    if (inode_is(inode, MODE_FILE))
        list_init(&inode->locks);
    if (inode_is(inode, MODE_DIRECTORY)) {
        inode->links = 1; /* "." */
        list_init(&inode->entries);
        inode->next_cookie = 2;
        inode->parent = inode;
    }
    fs->inodes++;
    return inode;
}

void inode_get(struct inode *inode)
{
    inode->references++;
}

void inode_put(struct tmpfs *fs, struct inode *inode)
{
    ASSERT(inode->references > 0);
    if (--inode->references > 0 || inode->links > 0)
        return;
    if (inode_is(inode, MODE_FILE))
        storage_release(&inode->storage);
    else if (inode_is(inode, MODE_SYMLINK))
        fs_free(inode->target);
    number_put(fs, inode->number);
    fs_free(inode);
    fs->inodes--;
}

/* Brings the content of a seeded file, all of it or nothing. */
static int load(struct tmpfs *fs, struct inode *inode)
{
    char data[PAGE_SIZE];

    if (!inode->source)
        return 0;
    if (storage_extend(&inode->storage, inode->size) < 0)
        return -ENOSPC;
    for (uint64_t offset = 0; offset < inode->size;) {
        const size_t part = inode->size - offset < PAGE_SIZE ? inode->size - offset : PAGE_SIZE;
        int error = fs->load(inode->source, offset, data, part);
        if (error == 0 && storage_write(&inode->storage, offset, data, part) != (long)part)
            error = -ENOSPC;
        if (error < 0) {
            storage_release(&inode->storage);
            return error == -ENOSPC ? error : -EIO;
        }
        offset += part;
    }
    inode->source = 0;
    return 0;
}

long inode_read(struct tmpfs *fs, struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
    if (offset >= inode->size || bytes == 0)
        return 0;
    const int error = load(fs, inode);
    if (error < 0)
        return error;
    if (bytes > inode->size - offset)
        bytes = inode->size - offset;
    const int failed = storage_read(&inode->storage, offset, data, bytes);
    if (failed < 0)
        return failed;
    inode->accessed = fs->now();
    return (long)bytes;
}

long inode_write(struct tmpfs *fs, struct inode *inode, uint64_t offset, const void *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (offset >= STORAGE_BYTES_MAX)
        return -EFBIG;
    if (bytes > STORAGE_BYTES_MAX - offset)
        bytes = STORAGE_BYTES_MAX - offset;
    const bool longer = offset + bytes > inode->size;
    int error = load(fs, inode);
    if (error == 0 && longer)
        error = storage_extend(&inode->storage, offset + bytes);
    if (error < 0)
        return error;
    const long written = storage_write(&inode->storage, offset, data, bytes);
    if (written > 0 && offset + (uint64_t)written > inode->size)
        inode->size = offset + (uint64_t)written;
    if (longer && written < (long)bytes)
        (void)!storage_cut(&inode->storage, inode->size); /* nothing was written there */
    if (written < 0)
        return written;
    inode->modified = inode->changed = fs->now();
    return written;
}

int inode_truncate(struct tmpfs *fs, struct inode *inode, uint64_t size)
{
    if (!inode_is(inode, MODE_FILE))
        return -EINVAL;
    if (size > STORAGE_BYTES_MAX)
        return -EFBIG;
    int error = size == 0 ? 0 : load(fs, inode);
    if (error == 0 && size > inode->size)
        error = storage_extend(&inode->storage, size);
    if (error == 0 && size < inode->size && !inode->source)
        error = storage_cut(&inode->storage, size);
    if (error < 0)
        return error;
    inode->source = 0;
    inode->size = size;
    inode->modified = inode->changed = fs->now();
    return 0;
}

int inode_object(struct tmpfs *fs, struct inode *inode, uint64_t *object)
{
    int error = load(fs, inode);

    if (error == 0)
        error = storage_extend(&inode->storage, inode->size);
    *object = error < 0 ? 0 : storage_object(&inode->storage);
    return error;
}

void inode_chmod(struct tmpfs *fs, struct inode *inode, uint32_t mode)
{
    inode->mode = (inode->mode & MODE_TYPE) | (mode & MODE_BITS);
    inode->changed = fs->now();
}

void inode_chown(struct tmpfs *fs, struct inode *inode, uint32_t user, uint32_t group)
{
    if (user != UINT32_MAX)
        inode->user = user;
    if (group != UINT32_MAX)
        inode->group = group;
    inode->changed = fs->now();
}

void inode_set_times(struct tmpfs *fs, struct inode *inode, uint64_t accessed, uint64_t modified)
{
    const uint64_t now = fs->now();

    if (accessed != TIME_KEEP)
        inode->accessed = accessed == TIME_NOW ? now : accessed;
    if (modified != TIME_KEEP)
        inode->modified = modified == TIME_NOW ? now : modified;
    inode->changed = now;
}

uint64_t inode_stored(const struct inode *inode)
{
    if (!inode_is(inode, MODE_FILE))
        return 0;
    if (inode->source)
        return (inode->size + PAGE_SIZE - 1) & PAGE_MASK;
    return storage_page_count(&inode->storage) << PAGE_SHIFT;
}
