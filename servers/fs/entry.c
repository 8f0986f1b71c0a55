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

static struct entry **bucket_of(const struct tmpfs *fs, uint32_t hash)
{
    return &fs->buckets[hash & (fs->bucket_count - 1)];
}

void entries_grow(struct tmpfs *fs)
{
    if (fs->entries < fs->bucket_count)
        return;
    const uint64_t count = fs->bucket_count ? 2 * fs->bucket_count : FIRST_BUCKETS;
    struct entry **buckets = fs_allocate(count * sizeof(void *));
    if (!buckets)
        return;
    for (uint64_t i = 0; i < fs->bucket_count; i++) {
        for (struct entry *entry = fs->buckets[i], *next; entry; entry = next) {
            next = entry->chain;
            entry->chain = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    fs_free(fs->buckets);
    fs->buckets = buckets;
    fs->bucket_count = count;
}

struct entry *entry_find(const struct tmpfs *fs, const struct inode *directory, const char *name, size_t length)
{
    const uint32_t hash = hash_of(directory, name, length);

    for (struct entry *entry = *bucket_of(fs, hash); entry; entry = entry->chain)
        if (entry->hash == hash && entry->directory == directory && entry->length == length &&
            memcmp(entry->name, name, length) == 0)
            return entry;
    return NULL;
}

struct entry *entry_new(const char *name, size_t length)
{
    struct entry *entry = fs_allocate(sizeof(*entry) + length + 1);

    if (!entry)
        return NULL;
    memcpy(entry->name, name, length);
    entry->length = (uint32_t)length;
    return entry;
}

static void touch(struct tmpfs *fs, struct inode *directory)
{
    directory->modified = directory->changed = fs->now();
}

/* `inode` has got the name `entry`. */
static void attach(struct tmpfs *fs, struct entry *entry, struct inode *inode)
{
    entry->inode = inode;
    inode->links++;
    inode->changed = fs->now();
    if (inode_is(inode, MODE_DIRECTORY)) {
        inode->parent = entry->directory;
        inode->entry = entry;
        entry->directory->links++;
    }
}

/* `entry` is no name of its inode any more. A directory that loses its only name keeps no link of its own either. */
static void detach(struct tmpfs *fs, struct entry *entry)
{
    struct inode *inode = entry->inode;

    inode->links--;
    inode->changed = fs->now();
    if (inode_is(inode, MODE_DIRECTORY)) {
        entry->directory->links--;
        if (inode->entry == entry) {
            inode->links = 0;
            inode->parent = inode;
            inode->entry = NULL;
        }
    }
    inode_get(inode);
    inode_put(fs, inode);
}

void entry_insert(struct tmpfs *fs, struct inode *directory, struct entry *entry, struct inode *inode)
{
    struct entry **bucket;

    entry->directory = directory;
    entry->hash = hash_of(directory, entry->name, entry->length);
    bucket = bucket_of(fs, entry->hash);
    entry->chain = *bucket;
    *bucket = entry;
    entry->cookie = directory->next_cookie++;
    list_push_back(&directory->entries, &entry->link);
    directory->size++;
    fs->entries++;
    attach(fs, entry, inode);
    touch(fs, directory);
}

void entry_remove(struct tmpfs *fs, struct entry *entry)
{
    struct entry **place = bucket_of(fs, entry->hash);

    while (*place != entry)
        place = &(*place)->chain;
    *place = entry->chain;
    list_remove(&entry->link);
    entry->directory->size--;
    fs->entries--;
    detach(fs, entry);
    touch(fs, entry->directory);
    fs_free(entry);
}

void entry_replace(struct tmpfs *fs, struct entry *entry, struct inode *inode)
{
    detach(fs, entry);
    attach(fs, entry, inode);
    touch(fs, entry->directory);
}

const struct entry *tmpfs_entry_from(const struct inode *directory, uint64_t cookie)
{
    LIST_FOR_EACH (link, &directory->entries) {
        const struct entry *entry = CONTAINER_OF(link, struct entry, link);
        if (entry->cookie >= cookie)
            return entry;
    }
    return NULL;
}
