/* SPDX-License-Identifier: MIT */
/*
 * Inodes of an ext2 file system in memory, and their likeness on disk.
 */
#include <errno.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"
#include "tree.h"

#define NS_PER_S        1000000000u
#define EPOCH_BITS      2u
#define EPOCH_MASK      3u
#define DIRECTORY_MAX   (1UL << 26) /* bytes of a directory that is looked at */
#define WITHOUT_EXTRA   EXT2_GOOD_OLD_INODE_SIZE
#define DEVICE_NEW_MASK 0xfffffu
/* Times of an end that are small are taken for numbers of inodes, as the chain of orphans has them; 2000-01-01. */
#define EARLIEST_END  946684800u
#define EVICTIONS_MAX 32u /* at once */

static const uint32_t known_types[] = {MODE_FILE,  MODE_DIRECTORY, MODE_SYMLINK,  MODE_DEVICE,
                                       MODE_BLOCK, MODE_PIPE,      LINUX_S_IFSOCK};

/* --- Times --- */

/* True if the inode on disk has a field that ends at `end`, counted in bytes from its beginning. */
static bool has_field(const struct ext2 *ext2, const struct ext2_inode_large *disk, size_t end)
{
    return EXT2_INODE_SIZE(ext2->lib->super) > WITHOUT_EXTRA && end <= EXT2_INODE_SIZE(ext2->lib->super) &&
           end <= WITHOUT_EXTRA + (size_t)disk->i_extra_isize;
}
#define HAS_FIELD(ext2, disk, field)                                                                                   \
    has_field(ext2, disk, offsetof(struct ext2_inode_large, field) + sizeof((disk)->field))

/* Seconds before 1970 are 0: the server has no times before its own. */
static uint64_t time_from(uint32_t seconds, uint32_t extra)
{
    const int64_t whole = (int64_t)(int32_t)seconds + ((int64_t)(extra & EPOCH_MASK) << 32);
    const uint32_t ns = extra >> EPOCH_BITS;

    return whole < 0 ? 0 : (uint64_t)whole * NS_PER_S + (ns < NS_PER_S ? ns : 0);
}

static void time_to(uint64_t time, uint32_t *seconds, uint32_t *extra)
{
    const uint64_t whole = time / NS_PER_S;
    const uint64_t epoch = (whole - (uint64_t)(int64_t)(int32_t)(uint32_t)whole) >> 32;

    *seconds = (uint32_t)whole;
    *extra = (uint32_t)(time % NS_PER_S) << EPOCH_BITS | (uint32_t)(epoch & EPOCH_MASK);
}

static void times_from(const struct ext2 *ext2, const struct ext2_inode_large *disk, struct inode *inode)
{
    inode->accessed = time_from(disk->i_atime, HAS_FIELD(ext2, disk, i_atime_extra) ? disk->i_atime_extra : 0);
    inode->modified = time_from(disk->i_mtime, HAS_FIELD(ext2, disk, i_mtime_extra) ? disk->i_mtime_extra : 0);
    inode->changed = time_from(disk->i_ctime, HAS_FIELD(ext2, disk, i_ctime_extra) ? disk->i_ctime_extra : 0);
}

static void times_to(const struct ext2 *ext2, const struct inode *inode, struct ext2_inode_large *disk)
{
    uint32_t accessed, modified, changed;

    time_to(inode->accessed, &disk->i_atime, &accessed);
    time_to(inode->modified, &disk->i_mtime, &modified);
    time_to(inode->changed, &disk->i_ctime, &changed);
    if (HAS_FIELD(ext2, disk, i_atime_extra))
        disk->i_atime_extra = accessed;
    if (HAS_FIELD(ext2, disk, i_mtime_extra))
        disk->i_mtime_extra = modified;
    if (HAS_FIELD(ext2, disk, i_ctime_extra))
        disk->i_ctime_extra = changed;
}

/* --- From disk --- */

static bool is_known(uint32_t mode)
{
    for (size_t i = 0; i < sizeof(known_types) / sizeof(known_types[0]); i++)
        if ((mode & MODE_TYPE) == known_types[i])
            return true;
    return false;
}

/* The number of a device: 16 bits, or, behind a zero, 32. */
static uint64_t device_from(const struct ext2_inode_large *disk)
{
    const uint32_t old = disk->i_block[0], new = disk->i_block[1];

    return old ? old & 0xffffu : (new &DEVICE_NEW_MASK) | (uint64_t)(new >> 20) << 20;
}

/* What an inode on disk says of itself, if it makes sense. */
static int load_fields(struct ext2_node *node, const struct ext2_inode_large *disk)
{
    const struct ext2 *ext2 = ext2_of(&node->inode);
    struct inode *inode = &node->inode;

    if (disk->i_links_count == 0 || !is_known(disk->i_mode) ||
        (disk->i_flags & (EXT4_INLINE_DATA_FL | EXT4_ENCRYPT_FL)))
        return -EIO;
    if ((disk->i_flags & EXT4_EXTENTS_FL) && !ext2fs_has_feature_extents(ext2->lib->super))
        return -EIO;
    inode->mode = disk->i_mode;
    inode->links = disk->i_links_count;
    inode->user = disk->i_uid | (uint32_t)disk->osd2.linux2.l_i_uid_high << 16;
    inode->group = disk->i_gid | (uint32_t)disk->osd2.linux2.l_i_gid_high << 16;
    inode->size = disk->i_size;
    if (inode_is(inode, MODE_FILE))
        inode->size |= (uint64_t)disk->i_size_high << 32;
    times_from(ext2, disk, inode);
    if (inode_is(inode, MODE_FILE) && inode->size > STORAGE_BYTES_MAX)
        return -EIO;
    if (inode_is(inode, MODE_DIRECTORY) &&
        (inode->size == 0 || inode->size % ext2->block_bytes != 0 || inode->size > DIRECTORY_MAX))
        return -EIO;
    if (inode_is(inode, MODE_SYMLINK) && (inode->size == 0 || inode->size >= TREE_PATH_BYTES))
        return -EIO;
    if (inode_is(inode, MODE_DEVICE) || inode_is(inode, MODE_BLOCK))
        inode->device = device_from(disk);
    return 0;
}

static int load(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct ext2_inode_large disk = {0};

    const errcode_t error =
        ext2fs_read_inode_full(ext2->lib, ino_of(node), (struct ext2_inode *)(void *)&disk, sizeof(disk));
    return error ? ext2_error(error) : load_fields(node, &disk);
}

/* --- In memory --- */

static struct list *chain_of(struct ext2 *ext2, ext2_ino_t ino)
{
    return &ext2->table[ino % EXT2_TABLE];
}

struct ext2_node *ext2_node_new(struct ext2 *ext2, ext2_ino_t ino)
{
    struct ext2_node *node = fs_allocate(sizeof(*node));

    if (!node)
        return NULL;
    node->inode.fs = &ext2->fs;
    node->inode.number = ino;
    node->inode.parent = &node->inode;
    list_init(&node->inode.locks);
    list_push_front(chain_of(ext2, ino), &node->chain);
    ext2->node_count++;
    ext2_node_idle(node);
    return node;
}

void ext2_node_free(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    ext2_pages_close(&node->pages);
    if (node->idle)
        ext2_node_busy(node);
    if (node->orphan)
        list_remove(&node->member);
    ext2->replaced_count -= node->replaced;
    list_remove(&node->chain);
    ext2->node_count--;
    fs_free(node->name);
    fs_free(node);
}

void ext2_node_idle(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    if (node->idle || node->orphan || node->inode.references > 0 || node->children > 0)
        return;
    node->idle = true;
    list_push_back(&ext2->idle, &node->member);
    ext2->idle_count++;
}

void ext2_node_busy(struct ext2_node *node)
{
    if (!node->idle)
        return;
    node->idle = false;
    list_remove(&node->member);
    ext2_of(&node->inode)->idle_count--;
}

void ext2_node_place(struct ext2_node *node, struct ext2_node *directory, char *name)
{
    ext2_node_unplace(node);
    node->inode.parent = &directory->inode;
    node->inode.name = node->name = name;
    directory->children++;
    ext2_node_busy(directory);
}

void ext2_node_unplace(struct ext2_node *node)
{
    struct ext2_node *parent = node_of(node->inode.parent);

    if (parent != node) {
        parent->children--;
        ext2_node_idle(parent);
    }
    fs_free(node->name);
    node->name = NULL;
    node->inode.name = NULL;
    node->inode.parent = &node->inode;
}

/* A node that is in memory, found again: a directory has one name, whatever else is on disk. */
static int check_place(const struct ext2_node *node, const struct ext2_node *directory, const char *name, size_t length)
{
    if (!inode_is(&node->inode, MODE_DIRECTORY))
        return 0;
    return directory && node->inode.parent == &directory->inode && node->name && strlen(node->name) == length &&
                   memcmp(node->name, name, length) == 0
               ? 0
               : -EIO;
}

/* Reads an inode into a fresh node, and gives a directory its place. */
static int fill(struct ext2_node *node, struct ext2_node *directory, const char *name, size_t length)
{
    const int error = load(node);

    if (error < 0 || !directory || !inode_is(&node->inode, MODE_DIRECTORY))
        return error;
    char *copy = fs_allocate(length + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, length);
    ext2_node_place(node, directory, copy);
    return 0;
}

int ext2_node_find(struct ext2 *ext2, ext2_ino_t ino, struct ext2_node *directory, const char *name, size_t length,
                   struct ext2_node **found)
{
    if (ino != EXT2_ROOT_INO && (ino < EXT2_FIRST_INODE(ext2->lib->super) || ino > ext2->lib->super->s_inodes_count))
        return -EIO;
    LIST_FOR_EACH (link, chain_of(ext2, ino)) {
        struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, chain);
        if (ino_of(node) != ino)
            continue;
        *found = node;
        return node->inode.links == 0 ? -EIO : check_place(node, directory, name, length);
    }
    if (!ext2fs_test_inode_bitmap2(ext2->lib->inode_map, ino))
        return -EIO;
    struct ext2_node *node = ext2_node_new(ext2, ino);
    if (!node)
        return -ENOMEM;
    const int error = fill(node, directory, name, length);
    if (error < 0) {
        ext2_node_free(node);
        return error;
    }
    *found = node;
    return 0;
}

void ext2_touched(struct inode *inode)
{
    node_of(inode)->dirty = true;
}

/* --- To disk --- */

static void store_fields(const struct ext2_node *node, struct ext2_inode_large *disk)
{
    const struct inode *inode = &node->inode;
    struct ext2 *ext2 = ext2_of(inode);

    disk->i_mode = (uint16_t)inode->mode;
    disk->i_links_count = (uint16_t)inode->links;
    disk->i_uid = (uint16_t)inode->user;
    disk->osd2.linux2.l_i_uid_high = (uint16_t)(inode->user >> 16);
    disk->i_gid = (uint16_t)inode->group;
    disk->osd2.linux2.l_i_gid_high = (uint16_t)(inode->group >> 16);
    disk->i_size = (uint32_t)inode->size;
    if (inode_is(inode, MODE_FILE)) {
        disk->i_size_high = (uint32_t)(inode->size >> 32);
        if (inode->size > INT32_MAX && !ext2fs_has_feature_large_file(ext2->lib->super)) {
            ext2fs_set_feature_large_file(ext2->lib->super);
            ext2fs_mark_super_dirty(ext2->lib);
        }
    }
    times_to(ext2, inode, disk);
}

int ext2_node_write(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct ext2_inode_large disk = {0};

    errcode_t error = ext2fs_read_inode_full(ext2->lib, ino_of(node), (struct ext2_inode *)(void *)&disk, sizeof(disk));
    if (error)
        return ext2_error(error);
    store_fields(node, &disk);
    /* Orphans are chained by where others have the time of their end. */
    if (node->orphan) {
        const struct list *next = node->member.next;
        disk.i_dtime = next == &ext2->orphans ? 0 : ino_of(CONTAINER_OF(next, struct ext2_node, member));
    }
    error = ext2fs_write_inode_full(ext2->lib, ino_of(node), (struct ext2_inode *)(void *)&disk, sizeof(disk));
    if (!error)
        node->dirty = node->resized = false;
    return ext2_error(error);
}

/* Marks an inode free on disk, that is in the cache. */
static int clear(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    struct ext2_inode_large disk = {0};

    errcode_t error = ext2fs_read_inode_full(ext2->lib, ino_of(node), (struct ext2_inode *)(void *)&disk, sizeof(disk));
    if (error)
        return ext2_error(error);
    disk.i_links_count = 0;
    disk.i_size = disk.i_size_high = 0;
    disk.i_dtime = ext2->lib->now > EARLIEST_END ? (uint32_t)ext2->lib->now : EARLIEST_END;
    error = ext2fs_write_inode_full(ext2->lib, ino_of(node), (struct ext2_inode *)(void *)&disk, sizeof(disk));
    if (!error)
        ext2fs_inode_alloc_stats2(ext2->lib, ino_of(node), -1, inode_is(&node->inode, MODE_DIRECTORY));
    return ext2_error(error);
}

/* True if the places of block numbers hold some. */
static bool has_blocks(const struct ext2_node *node)
{
    const struct inode *inode = &node->inode;

    if (inode_is(inode, MODE_SYMLINK))
        return inode->size >= sizeof(((struct ext2_inode *)0)->i_block);
    return inode_is(inode, MODE_FILE) || inode_is(inode, MODE_DIRECTORY);
}

int ext2_node_delete(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    int error = has_blocks(node) ? ext2_unmap_from(node, 0) : 0;
    if (error == 0)
        error = clear(node);
    ext2_node_unplace(node);
    ext2_node_free(node);
    return error < 0 ? ext2_fail(ext2, error) : 0;
}

/* Ends the content of a file that goes. False: programs still map it, or it cannot be now. */
static bool end_content(struct ext2_node *node)
{
    if (!ext2_pages_are_open(&node->pages))
        return true;
    if (ext2_pages_use(&node->pages).others > 0 || ext2_pages_resize(&node->pages, 0) < 0)
        return false;
    (void)!ext2_content_settle(node);
    ext2_pages_close(&node->pages);
    return true;
}

/* Gives an inode back that has lost its last name, unless it is in use. The lock is not held. */
static void end_orphan(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);

    /* One that was replaced goes with the sync that has its name mean the other. */
    if (!end_content(node) || (node->replaced && !ext2->fs.read_only))
        return;
    ext2_lock(ext2);
    if (ext2->fs.read_only) {
        ext2_node_unplace(node);
        ext2_node_free(node);
    } else {
        ext2_begin(ext2);
        (void)!ext2_node_delete(node);
    }
    ext2_unlock(ext2);
}

void ext2_orphans_join(struct ext2 *ext2)
{
    LIST_FOR_EACH_SAFE(link, &ext2->replaced)
    {
        struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, member);
        list_remove(&node->member);
        list_push_back(&ext2->orphans, &node->member);
        node->replaced = false;
    }
    ext2->replaced_count = 0;
}

void ext2_release(struct inode *inode)
{
    struct ext2_node *node = node_of(inode);
    struct ext2 *ext2 = ext2_of(inode);

    if (inode->links == 0) {
        end_orphan(node);
        return;
    }
    ext2_lock(ext2);
    ext2_node_idle(node);
    ext2_unlock(ext2);
}

/* Frees an idle node. False: it cannot be, now. The lock is not held. */
static bool evict(struct ext2_node *node)
{
    struct ext2 *ext2 = ext2_of(&node->inode);
    bool evicted = true;

    if (ext2_pages_are_open(&node->pages)) {
        if (ext2_pages_use(&node->pages).others > 0)
            return false;
        if (!ext2->fs.read_only && ext2_content_write(node) < 0)
            return false;
    }
    ext2_lock(ext2);
    if (!ext2->fs.read_only && node->dirty && ext2_node_write(node) < 0)
        evicted = false;
    if (evicted) {
        ext2_node_unplace(node);
        ext2_node_free(node);
    }
    ext2_unlock(ext2);
    return evicted;
}

/* Changes are so many that they should be written. */
static bool is_sync_due(const struct ext2 *ext2)
{
    return !ext2->fs.read_only &&
           (ext2->cache.dirty > EXT2_CACHE_DIRTY_MAX || ext2->replaced_count > EXT2_REPLACED_MAX);
}

bool ext2_is_crowded(const struct ext2 *ext2)
{
    return ext2->idle_count > EXT2_IDLE_MAX || is_sync_due(ext2);
}

/* One that is held again leaves the list of idle ones, and one that cannot go now goes to its end. */
static void settle_first(struct ext2 *ext2)
{
    struct ext2_node *node = CONTAINER_OF(list_first(&ext2->idle), struct ext2_node, member);
    const bool held = node->inode.references > 0 || node->children > 0;

    if (!held && evict(node))
        return;
    ext2_lock(ext2);
    ext2_node_busy(node);
    if (!held)
        ext2_node_idle(node);
    ext2_unlock(ext2);
}

void ext2_settle(struct file_system *fs)
{
    struct ext2 *ext2 = CONTAINER_OF(fs, struct ext2, fs);
    uint64_t tries = ext2->idle_count < EVICTIONS_MAX ? ext2->idle_count : EVICTIONS_MAX;

    if (is_sync_due(ext2))
        (void)!ext2_sync(fs, NULL, SYNC_DESCRIPTION);
    for (; tries > 0 && ext2->idle_count > EXT2_IDLE_MAX; tries--)
        settle_first(ext2);
    LIST_FOR_EACH_SAFE(link, &ext2->orphans)
    {
        struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, member);
        if (node->inode.references == 0)
            end_orphan(node);
    }
}
