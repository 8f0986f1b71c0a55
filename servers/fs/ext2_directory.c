/* SPDX-License-Identifier: MIT */
/*
 * Directories of an ext2 file system: blocks of entries, each of which tells where the next one is. A cookie is the place
 * of an entry in the directory in bytes, and two.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"

#define FIRST_COOKIE 2u
#define ENTRY_HEADER 8u
#define NO_PLACE     SIZE_MAX
#define BLOCK_READS  8u /* that reading one block of a directory may need; directories have an end */

/* An entry that was looked for, in the block that the buffer holds. */
struct place {
    uint64_t block;  /* of the device */
    size_t offset;   /* in the block */
    size_t previous; /* of the entry before it; NO_PLACE: it is the block's first */
};

/* A walk through the entries of a directory. */
struct scan {
    struct ext2_node *directory;
    uint64_t index; /* of the block, in the directory */
    struct place place;
};

static size_t entry_bytes(size_t length)
{
    return (ENTRY_HEADER + length + 3) & ~(size_t)3;
}

static struct ext2_dir_entry *entry_at(const struct ext2 *ext2, size_t offset)
{
    return (struct ext2_dir_entry *)(void *)(ext2->block_buffer + offset);
}

static size_t name_length(const struct ext2_dir_entry *entry)
{
    return (size_t)ext2fs_dirent_name_len(entry);
}

static uint8_t type_of_mode(const struct ext2 *ext2, uint32_t mode)
{
    if (!ext2->with_types)
        return EXT2_FT_UNKNOWN;
    switch (mode & MODE_TYPE) {
    case MODE_FILE:
        return EXT2_FT_REG_FILE;
    case MODE_DIRECTORY:
        return EXT2_FT_DIR;
    case MODE_SYMLINK:
        return EXT2_FT_SYMLINK;
    case MODE_DEVICE:
        return EXT2_FT_CHRDEV;
    case MODE_BLOCK:
        return EXT2_FT_BLKDEV;
    case MODE_PIPE:
        return EXT2_FT_FIFO;
    default:
        return EXT2_FT_SOCK;
    }
}

static uint32_t mode_of_type(const struct ext2 *ext2, unsigned type)
{
    static const uint32_t modes[] = {0,          MODE_FILE, MODE_DIRECTORY, MODE_DEVICE,
                                     MODE_BLOCK, MODE_PIPE, LINUX_S_IFSOCK, MODE_SYMLINK};

    return ext2->with_types && type < sizeof(modes) / sizeof(modes[0]) ? modes[type] : 0;
}

/* --- Walking --- */

/* True if the entry at an offset of the block ends in the block, and its name within the entry. */
static bool entry_sound(const struct ext2 *ext2, size_t offset)
{
    const struct ext2_dir_entry *entry = entry_at(ext2, offset);

    if (offset + ENTRY_HEADER > ext2->block_bytes || entry->rec_len < ENTRY_HEADER || entry->rec_len % 4 != 0 ||
        entry->rec_len > ext2->block_bytes - offset)
        return false;
    return entry->inode == 0 || (name_length(entry) > 0 && entry->rec_len >= entry_bytes(name_length(entry)));
}

/* Reads the scan's block, and makes sure that all its entries make sense. A hole is passed over: ENOENT. */
static int load_block(struct scan *scan)
{
    struct ext2 *ext2 = ext2_of(&scan->directory->inode);

    ext2->cache.budget += BLOCK_READS;
    const int error = ext2_map(scan->directory, scan->index, false, &scan->place.block);
    if (error < 0)
        return error;
    if (!scan->place.block)
        return -ENOENT;
    if (ext2fs_read_dir_block4(ext2->lib, scan->place.block, ext2->block_buffer, 0, ino_of(scan->directory)))
        return -EIO;
    for (size_t offset = 0; offset < ext2->block_bytes; offset += entry_at(ext2, offset)->rec_len)
        if (!entry_sound(ext2, offset))
            return -EIO;
    return 0;
}

static int save_block(struct ext2_node *directory, uint64_t block)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);

    return ext2_error(ext2fs_write_dir_block4(ext2->lib, block, ext2->block_buffer, 0, ino_of(directory)));
}

/* The same with names that are new, or gone; those of a renaming are written in their turn, others with the inodes. */
static int save_names(struct ext2_node *directory, uint64_t block, enum ext2_turn turn)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    const int error = save_block(directory, block);

    ext2_cache_set_turn(&ext2->cache, block, ext2->renaming ? turn : EXT2_TURN_TABLES);
    return error;
}

static uint64_t block_count(const struct ext2_node *directory)
{
    return directory->inode.size / ext2_of(&directory->inode)->block_bytes;
}

/* Goes on to the block's next entry. False: it has none. */
static bool next_in_block(const struct ext2 *ext2, struct place *place)
{
    const size_t next = place->offset + entry_at(ext2, place->offset)->rec_len;

    if (next >= ext2->block_bytes)
        return false;
    place->previous = place->offset;
    place->offset = next;
    return true;
}

/* Finds the first entry that `wanted` accepts, from block scan->index on. ENOENT: there is none. */
static int scan_for(struct scan *scan, bool (*wanted)(const struct scan *scan, const void *argument),
                    const void *argument)
{
    const struct ext2 *ext2 = ext2_of(&scan->directory->inode);

    for (; scan->index < block_count(scan->directory); scan->index++) {
        const int error = load_block(scan);
        if (error == -ENOENT)
            continue;
        if (error < 0)
            return error;
        scan->place.offset = 0;
        scan->place.previous = NO_PLACE;
        do {
            if (wanted(scan, argument))
                return 0;
        } while (next_in_block(ext2, &scan->place));
    }
    return -ENOENT;
}

/* --- Finding --- */

struct name {
    const char *text;
    size_t length;
};

static bool has_name(const struct scan *scan, const void *argument)
{
    const struct ext2_dir_entry *entry = entry_at(ext2_of(&scan->directory->inode), scan->place.offset);
    const struct name *name = argument;

    return entry->inode != 0 && name_length(entry) == name->length &&
           memcmp(entry->name, name->text, name->length) == 0;
}

/* ENOENT: there is no such name. */
static int find(struct scan *scan, const char *name, size_t length)
{
    return scan_for(scan, has_name, &(struct name){.text = name, .length = length});
}

int ext2_directory_find(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t *ino)
{
    struct scan scan = {.directory = directory};
    const int error = find(&scan, name, length);

    if (error == 0)
        *ino = entry_at(ext2_of(&directory->inode), scan.place.offset)->inode;
    return error;
}

int ext2_lookup(struct inode *directory, const char *name, size_t length, struct inode **inode)
{
    struct ext2 *ext2 = ext2_of(directory);
    struct ext2_node *node;
    ext2_ino_t ino = 0;

    *inode = NULL;
    ext2_begin(ext2);
    int error = ext2_directory_find(node_of(directory), name, length, &ino);
    if (error == -ENOENT)
        return 0;
    if (error == 0)
        error = ext2_node_find(ext2, ino, node_of(directory), name, length, &node);
    if (error == 0)
        *inode = &node->inode;
    return error;
}

struct listing {
    uint64_t cookie;
    list_function function;
    void *argument;
};

static bool is_dots(const struct ext2_dir_entry *entry)
{
    const size_t length = name_length(entry);

    return length <= 2 && entry->name[0] == '.' && entry->name[length - 1] == '.';
}

/* Tells of an entry; true: enough. */
static bool list_entry(const struct scan *scan, const void *argument)
{
    const struct ext2 *ext2 = ext2_of(&scan->directory->inode);
    const struct ext2_dir_entry *entry = entry_at(ext2, scan->place.offset);
    const struct listing *listing = argument;
    const uint64_t cookie = scan->index * ext2->block_bytes + scan->place.offset + FIRST_COOKIE;

    /* A name that no path can have is nobody's. */
    if (entry->inode == 0 || is_dots(entry) || cookie < listing->cookie ||
        memchr(entry->name, '/', name_length(entry)) || memchr(entry->name, '\0', name_length(entry)))
        return false;
    const struct listed listed = {.cookie = cookie,
                                  .number = entry->inode,
                                  .type = mode_of_type(ext2, (unsigned)ext2fs_dirent_file_type(entry)),
                                  .length = name_length(entry),
                                  .name = entry->name};
    return !listing->function(listing->argument, &listed);
}

int ext2_list(struct inode *directory, uint64_t cookie, list_function function, void *argument)
{
    const struct listing listing = {.cookie = cookie, .function = function, .argument = argument};
    struct ext2 *ext2 = ext2_of(directory);
    struct scan scan = {.directory = node_of(directory), .index = (cookie - FIRST_COOKIE) / ext2->block_bytes};

    ext2_begin(ext2);
    const int error = scan_for(&scan, list_entry, &listing);
    return error == -ENOENT ? 0 : error;
}

/* --- Changing --- */

/* Makes the buffer a block without names. */
static void clear_block(struct ext2 *ext2)
{
    struct ext2_dir_entry *entry = entry_at(ext2, 0);

    memset(ext2->block_buffer, 0, ext2->block_bytes);
    entry->rec_len = (uint16_t)ext2->entry_limit;
    if (ext2->entry_limit < ext2->block_bytes)
        ext2fs_initialize_dirent_tail(ext2->lib, EXT2_DIRENT_TAIL(ext2->block_buffer, ext2->block_bytes));
}

/* Bytes of an entry that a new one can have. */
static size_t room_at(const struct ext2 *ext2, size_t offset)
{
    const struct ext2_dir_entry *entry = entry_at(ext2, offset);

    if (offset >= ext2->entry_limit)
        return 0;
    const size_t end = offset + entry->rec_len < ext2->entry_limit ? offset + entry->rec_len : ext2->entry_limit;
    const size_t used = entry->inode ? entry_bytes(name_length(entry)) : 0;
    return end > offset + used ? end - offset - used : 0;
}

static bool has_room(const struct scan *scan, const void *argument)
{
    return room_at(ext2_of(&scan->directory->inode), scan->place.offset) >= entry_bytes(*(const size_t *)argument);
}

/* Makes a directory one block longer, without names. */
static int extend(struct ext2_node *directory)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    uint64_t block;

    const int error = ext2_map(directory, block_count(directory), true, &block);
    if (error < 0)
        return error;
    clear_block(ext2);
    if (save_block(directory, block) < 0)
        return ext2_fail(ext2, -EIO);
    directory->inode.size += ext2->block_bytes;
    directory->dirty = true;
    return 0;
}

/* The entries of a directory without an index are all that counts: forgets the index, and what it has in blocks. */
static int forget_index(struct ext2_node *directory)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    struct scan scan = {.directory = directory};
    struct ext2_inode disk;

    errcode_t error = ext2fs_read_inode(ext2->lib, ino_of(directory), &disk);
    if (error || !(disk.i_flags & EXT2_INDEX_FL))
        return ext2_error(error);
    for (; scan.index < block_count(directory); scan.index++) {
        const int bad = load_block(&scan);
        if (bad < 0)
            return bad;
        struct ext2_dir_entry *entry = entry_at(ext2, scan.index == 0 ? entry_at(ext2, 0)->rec_len : 0);
        const size_t offset = (size_t)((char *)entry - ext2->block_buffer);
        /* The index's own blocks have nothing, or "..", whose entry ends where the block does. */
        if (offset + entry->rec_len != ext2->block_bytes || (scan.index > 0 && entry->inode != 0))
            continue;
        const size_t kept = entry->inode ? entry_bytes(name_length(entry)) : ENTRY_HEADER;
        memset(ext2->block_buffer + offset + kept, 0, ext2->block_bytes - offset - kept);
        entry->rec_len = (uint16_t)(ext2->entry_limit - offset);
        if (ext2->entry_limit < ext2->block_bytes)
            ext2fs_initialize_dirent_tail(ext2->lib, EXT2_DIRENT_TAIL(ext2->block_buffer, ext2->block_bytes));
        if (save_block(directory, scan.place.block) < 0)
            return ext2_fail(ext2, -EIO);
    }
    disk.i_flags &= ~(uint32_t)EXT2_INDEX_FL;
    error = ext2fs_write_inode(ext2->lib, ino_of(directory), &disk);
    return error ? ext2_fail(ext2, -EIO) : 0;
}

int ext2_directory_reserve(struct ext2_node *directory, size_t length)
{
    struct scan scan = {.directory = directory};

    int error = forget_index(directory);
    if (error == 0)
        error = scan_for(&scan, has_room, &length);
    return error == -ENOENT ? extend(directory) : error;
}

int ext2_directory_add(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t ino, uint32_t mode)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    struct scan scan = {.directory = directory};

    const int error = scan_for(&scan, has_room, &length);
    if (error < 0)
        return -EIO;
    struct ext2_dir_entry *entry = entry_at(ext2, scan.place.offset);
    if (entry->inode) {
        const size_t used = entry_bytes(name_length(entry));
        struct ext2_dir_entry *rest = entry_at(ext2, scan.place.offset + used);
        rest->rec_len = (uint16_t)(entry->rec_len - used);
        entry->rec_len = (uint16_t)used;
        entry = rest;
    }
    entry->inode = ino;
    ext2fs_dirent_set_name_len(entry, (int)length);
    ext2fs_dirent_set_file_type(entry, type_of_mode(ext2, mode));
    memcpy(entry->name, name, length);
    return save_names(directory, scan.place.block, EXT2_TURN_NAMES);
}

int ext2_directory_remove(struct ext2_node *directory, const char *name, size_t length)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    struct scan scan = {.directory = directory};

    const int error = find(&scan, name, length);
    if (error < 0)
        return -EIO;
    struct ext2_dir_entry *entry = entry_at(ext2, scan.place.offset);
    if (scan.place.previous == NO_PLACE)
        entry->inode = 0;
    else
        entry_at(ext2, scan.place.previous)->rec_len += entry->rec_len;
    return save_names(directory, scan.place.block, EXT2_TURN_NAMES_GONE);
}

int ext2_directory_set(struct ext2_node *directory, const char *name, size_t length, ext2_ino_t ino, uint32_t mode)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);
    struct scan scan = {.directory = directory};

    const int error = find(&scan, name, length);
    if (error < 0)
        return -EIO;
    struct ext2_dir_entry *entry = entry_at(ext2, scan.place.offset);
    entry->inode = ino;
    ext2fs_dirent_set_file_type(entry, type_of_mode(ext2, mode));
    return save_names(directory, scan.place.block, EXT2_TURN_NAMES);
}

int ext2_directory_begin(struct ext2_node *directory, ext2_ino_t parent)
{
    struct ext2 *ext2 = ext2_of(&directory->inode);

    const int error = extend(directory);
    if (error < 0)
        return error;
    /* The entry of the empty block has room for both. */
    int bad = ext2_directory_add(directory, ".", 1, ino_of(directory), MODE_DIRECTORY);
    if (bad == 0)
        bad = ext2_directory_add(directory, "..", 2, parent, MODE_DIRECTORY);
    return bad < 0 ? ext2_fail(ext2, bad) : 0;
}
