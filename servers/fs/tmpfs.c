/* SPDX-License-Identifier: MIT */
/*
 * A file system's beginning, end, and walker.
 */
#include "tmpfs.h"

#include <errno.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

#define ROOT_MODE 0755u

int tmpfs_init(struct tmpfs *fs, uint64_t (*now)(void),
               int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes))
{
    *fs = (struct tmpfs){.next_long_number = TMPFS_SHORT_NUMBERS, .now = now, .load = load};
    fs->numbers[0] = 1;
    entries_grow(fs);
    if (!fs->buckets)
        return -ENOMEM;
    fs->root = inode_new(fs, MODE_DIRECTORY | ROOT_MODE);
    if (!fs->root) {
        fs_free(fs->buckets);
        return -ENOMEM;
    }
    fs->root->links = 2; /* its own ".." */
    return 0;
}

void tmpfs_destroy(struct tmpfs *fs)
{
    struct inode *directory = fs->root;

    /* Goes down to a directory without entries, and up again by removing it. */
    for (;;) {
        struct list *first = list_first(&directory->entries);
        if (!first) {
            if (directory == fs->root)
                break;
            struct entry *own = entry_find(fs, directory->parent, directory->entry->name, directory->entry->length);
            directory = directory->parent;
            entry_remove(fs, own);
            continue;
        }
        struct entry *entry = CONTAINER_OF(first, struct entry, link);
        if (inode_is(entry->inode, MODE_DIRECTORY))
            directory = entry->inode;
        else
            entry_remove(fs, entry);
    }
    fs->root->links = 0;
    inode_put(fs, fs->root);
    fs_free(fs->buckets);
}

/* What an entry and its surroundings promise each other; for a directory also what it says of itself. */
static bool entry_sound(const struct tmpfs *fs, const struct entry *entry)
{
    const struct inode *inode = entry->inode;

    if (entry->length == 0 || entry->length > TMPFS_NAME_MAX || strlen(entry->name) != entry->length ||
        memchr(entry->name, '/', entry->length) ||
        entry_find(fs, entry->directory, entry->name, entry->length) != entry)
        return false;
    if (inode_is(inode, MODE_DIRECTORY))
        return inode->entry == entry && inode->parent == entry->directory;
    return inode->links > 0;
}

/* Walks one directory's list: cookies rise, the size is right, links are 2 and one for each directory in it. */
static bool directory_sound(const struct tmpfs *fs, const struct inode *directory)
{
    uint64_t cookie = 1, count = 0;
    uint32_t links = 2;

    LIST_FOR_EACH (link, &directory->entries) {
        const struct entry *entry = CONTAINER_OF(link, struct entry, link);
        if (entry->cookie <= cookie || entry->cookie >= directory->next_cookie || entry->directory != directory ||
            !entry_sound(fs, entry))
            return false;
        cookie = entry->cookie;
        count++;
        links += inode_is(entry->inode, MODE_DIRECTORY);
    }
    return count == directory->size && links == directory->links;
}

bool tmpfs_check(const struct tmpfs *fs)
{
    uint64_t entries = 0;

    if (!directory_sound(fs, fs->root) || fs->root->parent != fs->root || fs->root->entry)
        return false;
    for (uint64_t i = 0; i < fs->bucket_count; i++) {
        for (const struct entry *entry = fs->buckets[i]; entry; entry = entry->chain) {
            const struct inode *inode = entry->inode;
            entries++;
            if (!entry_sound(fs, entry) || entry_find(fs, entry->directory, entry->name, entry->length) != entry)
                return false;
            if (inode_is(inode, MODE_DIRECTORY) && !directory_sound(fs, inode))
                return false;
            if (inode_is(inode, MODE_FILE) && !storage_check(&inode->storage))
                return false;
        }
    }
    return entries == fs->entries;
}
