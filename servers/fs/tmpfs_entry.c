/* SPDX-License-Identifier: MIT */
/*
 * Entries of directories, and the one hash table through which all of them are found.
 */
#include <quire/abi.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

#define FIRST_BUCKETS 256u

/* FNV-1a over the name, begun with the directory's number. */
static uint32_t hash_of(const struct inode *directory, const char *name, size_t length)
{
    uint32_t hash = 2166136261u ^ (uint32_t)(directory->number * 0x9e3779b1u);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static struct tmpfs_entry **bucket_of(const struct tmpfs *tmpfs, uint32_t hash)
{
    return &tmpfs->buckets[hash & (tmpfs->bucket_count - 1)];
}

void entries_grow(struct tmpfs *tmpfs)
{
    if (tmpfs->entries < tmpfs->bucket_count)
        return;
    const uint64_t count = tmpfs->bucket_count ? 2 * tmpfs->bucket_count : FIRST_BUCKETS;
    struct tmpfs_entry **buckets = fs_allocate(count * sizeof(void *));
    if (!buckets)
        return;
    for (uint64_t i = 0; i < tmpfs->bucket_count; i++) {
        for (struct tmpfs_entry *entry = tmpfs->buckets[i], *next; entry; entry = next) {
            next = entry->chain;
            entry->chain = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    fs_free(tmpfs->buckets);
    tmpfs->buckets = buckets;
    tmpfs->bucket_count = count;
}

struct tmpfs_entry *entry_find(const struct inode *directory, const char *name, size_t length)
{
    const uint32_t hash = hash_of(directory, name, length);

    for (struct tmpfs_entry *entry = *bucket_of(tmpfs_of(directory), hash); entry; entry = entry->chain)
        if (entry->hash == hash && entry->directory == directory && entry->length == length &&
            memcmp(entry->name, name, length) == 0)
            return entry;
    return NULL;
}

struct tmpfs_entry *entry_new(const char *name, size_t length)
{
    struct tmpfs_entry *entry = fs_allocate(sizeof(*entry) + length + 1);

    if (!entry)
        return NULL;
    memcpy(entry->name, name, length);
    entry->length = (uint32_t)length;
    return entry;
}

static void touch(struct inode *directory)
{
    directory->modified = directory->changed = directory->fs->now();
}

/* `inode` has got the name `entry`. */
static void attach(struct tmpfs_entry *entry, struct inode *inode)
{
    entry->inode = inode;
    inode->links++;
    inode->changed = inode->fs->now();
    if (inode_is(inode, MODE_DIRECTORY)) {
        inode->parent = entry->directory;
        inode->name = entry->name;
        tmpfs_inode_of(inode)->entry = entry;
        entry->directory->links++;
    }
}

/* `entry` is no name of its inode any more. A directory that loses its only name keeps no link of its own either. */
static void detach(struct tmpfs_entry *entry)
{
    struct inode *inode = entry->inode;

    inode->links--;
    inode->changed = inode->fs->now();
    if (inode_is(inode, MODE_DIRECTORY)) {
        entry->directory->links--;
        if (tmpfs_inode_of(inode)->entry == entry) {
            inode->links = 0;
            inode->parent = inode;
            inode->name = NULL;
            tmpfs_inode_of(inode)->entry = NULL;
        }
    }
    inode_get(inode);
    inode_put(inode);
}

void entry_insert(struct inode *directory, struct tmpfs_entry *entry, struct inode *inode)
{
    struct tmpfs_inode *own = tmpfs_inode_of(directory);
    struct tmpfs *tmpfs = tmpfs_of(directory);
    struct tmpfs_entry **bucket;

    entry->directory = directory;
    entry->hash = hash_of(directory, entry->name, entry->length);
    bucket = bucket_of(tmpfs, entry->hash);
    entry->chain = *bucket;
    *bucket = entry;
    entry->cookie = own->next_cookie++;
    list_push_back(&own->entries, &entry->link);
    directory->size++;
    tmpfs->entries++;
    attach(entry, inode);
    touch(directory);
}

void entry_remove(struct tmpfs_entry *entry)
{
    struct inode *directory = entry->directory;
    struct tmpfs_entry **place = bucket_of(tmpfs_of(directory), entry->hash);

    while (*place != entry)
        place = &(*place)->chain;
    *place = entry->chain;
    list_remove(&entry->link);
    directory->size--;
    tmpfs_of(directory)->entries--;
    detach(entry);
    touch(directory);
    fs_free(entry);
}

void entry_replace(struct tmpfs_entry *entry, struct inode *inode)
{
    detach(entry);
    attach(entry, inode);
    touch(entry->directory);
}
