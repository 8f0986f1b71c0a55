/* SPDX-License-Identifier: MIT */
/*
 * The tmpfs's inodes and the content of its regular files.
 */
#include <errno.h>
#include <quire/abi.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

/* A number that no inode has. */
static uint64_t number_take(struct tmpfs *tmpfs)
{
    for (uint64_t i = 1; i <= TMPFS_SHORT_NUMBERS; i++) {
        const uint64_t number = (tmpfs->last_number + i) % TMPFS_SHORT_NUMBERS;
        uint64_t *word = &tmpfs->numbers[number / 64];
        if (*word == UINT64_MAX) {
            i += 63 - number % 64;
        } else if (!(*word >> number % 64 & 1)) {
            *word |= 1UL << number % 64;
            tmpfs->last_number = number;
            return number;
        }
    }
    return tmpfs->next_long_number++;
}

static void number_put(struct tmpfs *tmpfs, uint64_t number)
{
    if (number < TMPFS_SHORT_NUMBERS)
        tmpfs->numbers[number / 64] &= ~(1UL << number % 64);
}

struct inode *tmpfs_inode_new(struct tmpfs *tmpfs, uint32_t mode)
{
    struct tmpfs_inode *own = fs_allocate(sizeof(*own));

    if (!own)
        return NULL;
    struct inode *inode = &own->inode;
    inode->fs = &tmpfs->fs;
    inode->number = number_take(tmpfs);
    inode->mode = mode;
    inode->references = 1;
    inode->accessed = inode->modified = inode->changed = tmpfs->fs.now();
    list_init(&inode->locks);
    if (inode_is(inode, MODE_FILE))
        storage_init(&own->storage);
    if (inode_is(inode, MODE_DIRECTORY)) {
        inode->links = 1; /* "." */
        inode->parent = inode;
        list_init(&own->entries);
        own->next_cookie = 2;
    }
    tmpfs->inodes++;
    return inode;
}

void tmpfs_release(struct inode *inode)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    struct tmpfs *tmpfs = tmpfs_of(inode);

    if (inode->links > 0)
        return;
    if (inode_is(inode, MODE_FILE))
        storage_release(&own->storage);
    else if (inode_is(inode, MODE_SYMLINK))
        fs_free(own->target);
    number_put(tmpfs, inode->number);
    fs_free(own);
    tmpfs->inodes--;
}

/* Brings the content of a seeded file, all of it or nothing. */
static int load(struct inode *inode)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    char data[PAGE_SIZE];

    if (!own->source)
        return 0;
    if (storage_extend(&own->storage, inode->size) < 0)
        return -ENOSPC;
    for (uint64_t offset = 0; offset < inode->size;) {
        const size_t part = inode->size - offset < PAGE_SIZE ? inode->size - offset : PAGE_SIZE;
        int error = tmpfs_of(inode)->load(own->source, offset, data, part);
        if (error == 0 && storage_write(&own->storage, offset, data, part) != (long)part)
            error = -ENOSPC;
        if (error < 0) {
            storage_release(&own->storage);
            return error == -ENOSPC ? error : -EIO;
        }
        offset += part;
    }
    own->source = 0;
    return 0;
}

long tmpfs_read(struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
    int error = load(inode);

    if (error == 0)
        error = storage_read(&tmpfs_inode_of(inode)->storage, offset, data, bytes);
    if (error < 0)
        return error;
    inode->accessed = inode->fs->now();
    return (long)bytes;
}

long tmpfs_write(struct inode *inode, uint64_t offset, const void *data, size_t bytes)
{
    struct storage *storage = &tmpfs_inode_of(inode)->storage;
    const bool longer = offset + bytes > inode->size;

    int error = load(inode);
    if (error == 0 && longer)
        error = storage_extend(storage, offset + bytes);
    if (error < 0)
        return error;
    const long written = storage_write(storage, offset, data, bytes);
    if (written > 0 && offset + (uint64_t)written > inode->size)
        inode->size = offset + (uint64_t)written;
    if (longer && written < (long)bytes)
        (void)!storage_cut(storage, inode->size); /* nothing was written there */
    if (written < 0)
        return written;
    inode->modified = inode->changed = inode->fs->now();
    return written;
}

int tmpfs_truncate(struct inode *inode, uint64_t size)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);

    int error = size == 0 ? 0 : load(inode);
    if (error == 0 && size > inode->size)
        error = storage_extend(&own->storage, size);
    if (error == 0 && size < inode->size && !own->source)
        error = storage_cut(&own->storage, size);
    if (error < 0)
        return error;
    own->source = 0;
    inode->size = size;
    inode->modified = inode->changed = inode->fs->now();
    return 0;
}

int tmpfs_object(struct inode *inode, bool writable, uint64_t *object)
{
    struct storage *storage = &tmpfs_inode_of(inode)->storage;
    int error = load(inode);

    if (error == 0)
        error = storage_extend(storage, inode->size);
    *object = error < 0 ? 0 : storage_object(storage);
    return error;
}

uint64_t tmpfs_stored(struct inode *inode)
{
    const struct tmpfs_inode *own = tmpfs_inode_of(inode);

    if (own->source)
        return (inode->size + PAGE_SIZE - 1) & PAGE_MASK;
    return storage_page_count(&own->storage) << PAGE_SHIFT;
}
