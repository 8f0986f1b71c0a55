/* SPDX-License-Identifier: MIT */
/*
 * The tmpfs as a file system, its beginning, its end, and its walker.
 */
#include "tmpfs.h"

#include <errno.h>
#include <quire/abi.h>
#include <string.h>

#include "memory.h"
#include "tmpfs_internal.h"

#define ROOT_MODE 0755u

/* --- Names: what file_system_operations asks for --- */

static int lookup(struct inode *directory, const char *name, size_t length, struct inode **inode)
{
    const struct tmpfs_entry *entry = entry_find(directory, name, length);

    *inode = entry ? entry->inode : NULL;
    return 0;
}

static int list(struct inode *directory, uint64_t cookie, list_function function, void *argument)
{
    LIST_FOR_EACH (link, &tmpfs_inode_of(directory)->entries) {
        const struct tmpfs_entry *entry = CONTAINER_OF(link, struct tmpfs_entry, link);
        const struct listed listed = {.cookie = entry->cookie,
                                      .number = entry->inode->number,
                                      .type = entry->inode->mode & MODE_TYPE,
                                      .length = entry->length,
                                      .name = entry->name};
        if (entry->cookie >= cookie && !function(argument, &listed))
            break;
    }
    return 0;
}

/* Gives a new inode what its kind has. ENOSPC. */
static int fill(struct inode *inode, const struct new_inode *new)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);

    inode->device = new->device;
    if (inode_is(inode, MODE_SYMLINK)) {
        const size_t length = strlen(new->target);
        own->target = fs_allocate(length + 1);
        if (!own->target)
            return -ENOSPC;
        memcpy(own->target, new->target, length + 1);
        inode->size = length;
    } else if (inode_is(inode, MODE_FILE)) {
        own->source = new->size ? new->source : 0;
        inode->size = new->size;
    }
    return 0;
}

static int create(struct inode *directory, const char *name, size_t length, const struct new_inode *new,
                  struct inode **inode)
{
    struct tmpfs_entry *entry = entry_new(name, length);
    struct inode *made = entry ? tmpfs_inode_new(tmpfs_of(directory), new->mode) : NULL;

    if (!made || fill(made, new) < 0) {
        if (made) {
            made->links = 0;
            inode_put(made);
        }
        fs_free(entry);
        return -ENOSPC;
    }
    entries_grow(tmpfs_of(directory));
    entry_insert(directory, entry, made);
    *inode = made;
    return 0;
}

static int link_name(struct inode *directory, const char *name, size_t length, struct inode *inode)
{
    struct tmpfs_entry *entry = entry_new(name, length);

    if (!entry)
        return -ENOSPC;
    entries_grow(tmpfs_of(directory));
    entry_insert(directory, entry, inode);
    return 0;
}

static int unlink_name(struct inode *directory, const char *name, size_t length, struct inode *inode)
{
    entry_remove(entry_find(directory, name, length));
    return 0;
}

static int rename_name(struct inode *from, const char *from_name, size_t from_length, struct inode *inode,
                       struct inode *to, const char *to_name, size_t to_length, struct inode *replaced)
{
    if (replaced) {
        entry_replace(entry_find(to, to_name, to_length), inode);
    } else {
        const int error = link_name(to, to_name, to_length, inode);
        if (error < 0)
            return error;
    }
    entry_remove(entry_find(from, from_name, from_length));
    return 0;
}

static long read_link(struct inode *inode, char *target, size_t bytes)
{
    if (bytes > inode->size)
        bytes = inode->size;
    memcpy(target, tmpfs_inode_of(inode)->target, bytes);
    return (long)bytes;
}

/* --- The whole --- */

static void touched(struct inode *inode)
{
    /* There is no copy that could be out of date. */
}

static int sync_all(struct file_system *fs, struct inode *inode, enum sync_what what)
{
    return 0;
}

static void volume(struct file_system *fs, struct volume *volume)
{
    const struct tmpfs *tmpfs = CONTAINER_OF(fs, struct tmpfs, fs);
    const struct fs_page_count count = fs_page_count();
    const uint64_t left = count.limit > count.used ? count.limit - count.used : 0;

    /* An inode takes less than a page, so there can be at least as many more. */
    *volume = (struct volume){.block_bytes = PAGE_SIZE,
                              .blocks = count.limit,
                              .free_blocks = left,
                              .available_blocks = left,
                              .inodes = tmpfs->inodes + left,
                              .free_inodes = left,
                              .names = tmpfs->entries};
}

static void settle(struct file_system *fs)
{
    /* An inode stays as long as it has a name. */
}

static const struct file_system_operations operations = {
    .lookup = lookup,
    .list = list,
    .create = create,
    .link = link_name,
    .unlink = unlink_name,
    .rename = rename_name,
    .readlink = read_link,
    .release = tmpfs_release,
    .read = tmpfs_read,
    .write = tmpfs_write,
    .truncate = tmpfs_truncate,
    .object = tmpfs_object,
    .touched = touched,
    .stored = tmpfs_stored,
    .sync = sync_all,
    .volume = volume,
    .settle = settle,
};

int tmpfs_init(struct tmpfs *tmpfs, uint64_t (*now)(void),
               int (*load)(uint64_t source, uint64_t offset, void *data, size_t bytes))
{
    *tmpfs = (struct tmpfs){
        .fs = {.operations = &operations, .number = FILES_NUMBER_MEMORY, .links_max = TMPFS_HARD_MAX, .now = now},
        .next_long_number = TMPFS_SHORT_NUMBERS,
        .load = load};
    tmpfs->numbers[0] = 1;
    entries_grow(tmpfs);
    if (!tmpfs->buckets)
        return -ENOMEM;
    tmpfs->fs.root = tmpfs_inode_new(tmpfs, MODE_DIRECTORY | ROOT_MODE);
    if (!tmpfs->fs.root) {
        fs_free(tmpfs->buckets);
        return -ENOMEM;
    }
    tmpfs->fs.root->links = 2; /* its own ".." */
    return 0;
}

void tmpfs_destroy(struct tmpfs *tmpfs)
{
    struct inode *directory = tmpfs->fs.root;

    /* Goes down to a directory without entries, and up again by removing it. */
    for (;;) {
        struct list *first = list_first(&tmpfs_inode_of(directory)->entries);
        if (!first) {
            if (directory == tmpfs->fs.root)
                break;
            struct tmpfs_entry *own = entry_find(directory->parent, directory->name, strlen(directory->name));
            directory = directory->parent;
            entry_remove(own);
            continue;
        }
        struct tmpfs_entry *entry = CONTAINER_OF(first, struct tmpfs_entry, link);
        if (inode_is(entry->inode, MODE_DIRECTORY))
            directory = entry->inode;
        else
            entry_remove(entry);
    }
    tmpfs->fs.root->links = 0;
    inode_put(tmpfs->fs.root);
    fs_free(tmpfs->buckets);
}

/* What an entry and its surroundings promise each other; for a directory also what it says of itself. */
static bool entry_sound(const struct tmpfs_entry *entry)
{
    const struct inode *inode = entry->inode;

    if (entry->length == 0 || entry->length > FILE_NAME_MAX || strlen(entry->name) != entry->length ||
        memchr(entry->name, '/', entry->length) || entry_find(entry->directory, entry->name, entry->length) != entry)
        return false;
    if (inode_is(inode, MODE_DIRECTORY))
        return tmpfs_inode_of(inode)->entry == entry && inode->name == entry->name && inode->parent == entry->directory;
    return inode->links > 0;
}

/* Walks one directory's list: cookies rise, the size is right, links are 2 and one for each directory in it. */
static bool directory_sound(const struct inode *directory)
{
    const struct tmpfs_inode *own = tmpfs_inode_of(directory);
    uint64_t cookie = 1, count = 0;
    uint32_t links = 2;

    LIST_FOR_EACH (link, &own->entries) {
        const struct tmpfs_entry *entry = CONTAINER_OF(link, struct tmpfs_entry, link);
        if (entry->cookie <= cookie || entry->cookie >= own->next_cookie || entry->directory != directory ||
            !entry_sound(entry))
            return false;
        cookie = entry->cookie;
        count++;
        links += inode_is(entry->inode, MODE_DIRECTORY);
    }
    return count == directory->size && links == directory->links;
}

bool tmpfs_check(const struct tmpfs *tmpfs)
{
    const struct inode *root = tmpfs->fs.root;
    uint64_t entries = 0;

    if (!directory_sound(root) || root->parent != root || root->name)
        return false;
    for (uint64_t i = 0; i < tmpfs->bucket_count; i++) {
        for (const struct tmpfs_entry *entry = tmpfs->buckets[i]; entry; entry = entry->chain) {
            const struct inode *inode = entry->inode;
            entries++;
            if (!entry_sound(entry) || entry_find(entry->directory, entry->name, entry->length) != entry)
                return false;
            if (inode_is(inode, MODE_DIRECTORY) && !directory_sound(inode))
                return false;
            if (inode_is(inode, MODE_FILE) && !storage_check(&tmpfs_inode_of(inode)->storage))
                return false;
        }
    }
    return entries == tmpfs->entries;
}
