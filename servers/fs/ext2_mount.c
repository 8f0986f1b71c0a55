/* SPDX-License-Identifier: MIT */
/*
 * From a device to a file system, and back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ext2_internal.h"
#include "memory.h"

#define SUPERBLOCK_PLACE 1024u
#define GENERATION_MASK  0x7fffffffu /* the bit above is for other cookies */
#define NS_PER_S         1000000000u
#define NS_PER_MS        1000000u
#define OLD_LINKS_MAX    32000u
#define NEW_LINKS_MAX    65000u

/* Features that need not be known to read, and to write. */
#define KNOWN_INCOMPATIBLE                                                                                             \
    (EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT |                    \
     EXT4_FEATURE_INCOMPAT_FLEX_BG)
#define KNOWN_READ_ONLY                                                                                                \
    (EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | EXT4_FEATURE_RO_COMPAT_HUGE_FILE |      \
     EXT4_FEATURE_RO_COMPAT_GDT_CSUM | EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |         \
     EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)

int ext2_error(errcode_t error)
{
    switch (error) {
    case 0:
        return 0;
    case EXT2_ET_NO_MEMORY:
    case ENOMEM:
        return -ENOMEM;
    case EXT2_ET_BLOCK_ALLOC_FAIL:
    case EXT2_ET_INODE_ALLOC_FAIL:
        return -ENOSPC;
    case EXT2_ET_FILE_TOO_BIG:
        return -EFBIG;
    case EXT2_ET_RO_FILSYS:
        return -EROFS;
    default:
        return -EIO;
    }
}

void ext2_begin(struct ext2 *ext2)
{
    const uint64_t blocks = ext2fs_blocks_count(ext2->lib->super);

    ext2->lib->now = (time_t)(ext2->fs.now() / NS_PER_S);
    /* Enough to visit all blocks that lead to others, if there is no circle. */
    ext2->cache.budget = 4096 + 4 * (blocks / (ext2->block_bytes / sizeof(uint32_t)));
}

int ext2_fail(struct ext2 *ext2, int error)
{
    ext2->fs.read_only = true;
    ext2_cache_revert(&ext2->cache);
    /* What libext2fs keeps of inodes may be newer than what is now to be read. */
    (void)!ext2fs_flush_icache(ext2->lib);
    ext2_orphans_join(ext2);
    LIST_FOR_EACH_SAFE(link, &ext2->orphans)
    {
        struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, member);
        node->orphan = false;
        list_remove(&node->member);
        ext2_node_idle(node);
    }
    for (size_t i = 0; i < EXT2_TABLE; i++)
        LIST_FOR_EACH (link, &ext2->table[i])
            CONTAINER_OF(link, struct ext2_node, chain)->dirty = false;
    return error;
}

/* What the superblock says of sizes, before anything is done with them. */
static int check_super(const struct ext2_super_block *super, const struct block_device *device)
{
    if (super->s_magic != EXT2_SUPER_MAGIC || super->s_rev_level > EXT2_DYNAMIC_REV)
        return -EINVAL;
    if (super->s_feature_incompat & ~KNOWN_INCOMPATIBLE)
        return -EINVAL;
    /* libext2fs would take a cluster for something else than a block. */
    if (super->s_log_block_size > 2 || super->s_log_cluster_size != super->s_log_block_size)
        return -EINVAL;
    const uint64_t block_bytes = 1024u << super->s_log_block_size;
    uint64_t blocks = super->s_blocks_count;
    if (super->s_feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT)
        blocks |= (uint64_t)super->s_blocks_count_hi << 32;
    if (blocks == 0 || blocks > device->bytes / block_bytes)
        return -EIO;
    if (super->s_blocks_per_group < 8 || super->s_blocks_per_group % 8 != 0 ||
        super->s_blocks_per_group > 8 * block_bytes || super->s_inodes_per_group < 8 ||
        super->s_inodes_per_group % 8 != 0 || super->s_inodes_per_group > 8 * block_bytes)
        return -EIO;
    if (super->s_first_data_block != (block_bytes == 1024))
        return -EIO;
    if (super->s_rev_level == EXT2_DYNAMIC_REV &&
        (super->s_first_ino < EXT2_GOOD_OLD_FIRST_INO || super->s_first_ino > super->s_inodes_count))
        return -EIO;
    return 0;
}

static int check_groups(ext2_filsys lib)
{
    const errcode_t error = ext2fs_check_desc(lib);

    if (error)
        return ext2_error(error);
    for (dgrp_t group = 0; group < lib->group_desc_count; group++) {
        if (!ext2fs_group_desc_csum_verify(lib, group))
            return -EIO;
        if (ext2fs_bg_itable_unused(lib, group) > lib->super->s_inodes_per_group)
            return -EIO;
    }
    return 0;
}

/* Opens what the device holds by libext2fs. */
static int open_library(struct ext2 *ext2)
{
    char name[2 * sizeof(void *) + 1];
    int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP;

    if (!ext2->fs.read_only)
        flags |= EXT2_FLAG_RW;
    snprintf(name, sizeof(name), "%lx", (unsigned long)&ext2->cache);
    errcode_t error = ext2fs_open2(name, NULL, flags, 0, 0, &ext2_io_manager, &ext2->lib);
    if (error) {
        ext2->lib = NULL;
        return ext2_error(error);
    }
    /* Bits in arrays: their memory is taken once. */
    ext2->lib->default_bitmap_type = EXT2FS_BMAP64_BITARRAY;
    const int bad = check_groups(ext2->lib);
    if (bad < 0)
        return bad;
    /* Who only reads looks at the bitmaps, too: an inode that is free is no inode. libext2fs reads them only to write. */
    ext2->lib->flags |= EXT2_FLAG_RW;
    error = ext2fs_read_bitmaps(ext2->lib);
    if (ext2->fs.read_only)
        ext2->lib->flags &= ~EXT2_FLAG_RW;
    const int failed = error ? ext2_error(error) : ext2_tables_init(ext2);
    return failed < 0 ? failed : ext2_freed_init(ext2);
}

static int begin(struct ext2 *ext2, const struct ext2_super_block *super)
{
    struct ext2_node *root;

    ext2->block_bytes = 1024u << super->s_log_block_size;
    ext2->blocks_per_page = PAGE_SIZE / ext2->block_bytes;
    if (super->s_feature_ro_compat & ~KNOWN_READ_ONLY)
        ext2->fs.read_only = true;
    ext2->was_valid = (super->s_state & EXT2_VALID_FS) && !(super->s_state & EXT2_ERROR_FS);
    ext2->block_buffer = fs_allocate(ext2->block_bytes);
    ext2->lib_buffer = fs_allocate(4 * (size_t)ext2->block_bytes);
    if (!ext2->block_buffer || !ext2->lib_buffer)
        return -ENOMEM;
    int error = ext2_cache_init(&ext2->cache, ext2->device, ext2->block_bytes);
    if (error == 0)
        error = open_library(ext2);
    if (error < 0)
        return error;
    ext2->with_types = ext2fs_has_feature_filetype(ext2->lib->super);
    ext2->entry_limit = ext2->block_bytes -
                        (ext2fs_has_feature_metadata_csum(ext2->lib->super) ? sizeof(struct ext2_dir_entry_tail) : 0);
    ext2->fs.links_max = ext2fs_has_feature_dir_nlink(ext2->lib->super) ? NEW_LINKS_MAX : OLD_LINKS_MAX;
    ext2_begin(ext2);
    error = ext2_node_find(ext2, EXT2_ROOT_INO, NULL, NULL, 0, &root);
    if (error < 0)
        return error;
    if (!inode_is(&root->inode, MODE_DIRECTORY))
        return -EIO;
    ext2->fs.root = &root->inode;
    inode_get(ext2->fs.root);
    return ext2->fs.read_only ? 0 : ext2_orphans_recover(ext2);
}

static void destroy(struct ext2 *ext2)
{
    for (size_t i = 0; i < EXT2_TABLE; i++)
        LIST_FOR_EACH_SAFE(link, &ext2->table[i])
    ext2_node_free(CONTAINER_OF(link, struct ext2_node, chain));
    ext2_freed_destroy(ext2);
    ext2_tables_destroy(ext2);
    if (ext2->lib)
        ext2fs_free(ext2->lib);
    ext2_cache_destroy(&ext2->cache);
    fs_free(ext2->block_buffer);
    fs_free(ext2->lib_buffer);
    (void)!pthread_mutex_destroy(&ext2->lock);
    fs_free(ext2);
}

int ext2_mount(struct block_device *device, const struct ext2_options *options, struct ext2 **mounted)
{
    struct ext2_super_block super;
    char sectors[SUPERBLOCK_SIZE];

    if (device->bytes < SUPERBLOCK_PLACE + SUPERBLOCK_SIZE)
        return -EINVAL;
    if (device->read(device, SUPERBLOCK_PLACE, sectors, sizeof(sectors)) < 0)
        return -EIO;
    memcpy(&super, sectors, sizeof(super));
    int error = check_super(&super, device);
    if (error < 0)
        return error;
    struct ext2 *ext2 = fs_allocate(sizeof(*ext2));
    if (!ext2)
        return -ENOMEM;
    ext2->fs = (struct file_system){.operations = &ext2_operations,
                                    .number = FILES_NUMBER_DISK,
                                    .read_only = options->read_only || device->read_only,
                                    .now = options->now};
    ext2->device = device;
    /* Files of an earlier mount, which somebody may still map, are not taken for those of this one. */
    ext2->generation = (uint32_t)(options->now() / NS_PER_MS) & GENERATION_MASK;
    (void)!pthread_mutex_init(&ext2->lock, NULL);
    list_init(&ext2->idle);
    list_init(&ext2->orphans);
    list_init(&ext2->replaced);
    for (size_t i = 0; i < EXT2_TABLE; i++)
        list_init(&ext2->table[i]);
    error = begin(ext2, &super);
    if (error < 0) {
        destroy(ext2);
        return error;
    }
    *mounted = ext2;
    return 0;
}

int ext2_unmount(struct ext2 *ext2)
{
    const int error = ext2->fs.read_only ? 0 : ext2_sync(&ext2->fs, NULL, SYNC_WHOLE);

    destroy(ext2);
    return error;
}

struct file_system *ext2_file_system(struct ext2 *ext2)
{
    return &ext2->fs;
}

bool ext2_is_dirty(const struct ext2 *ext2)
{
    const int changed = EXT2_FLAG_DIRTY | EXT2_FLAG_BB_DIRTY | EXT2_FLAG_IB_DIRTY;

    if (ext2->fs.read_only)
        return false;
    if (ext2->cache.dirty > 0 || (ext2->lib->flags & changed))
        return true;
    for (size_t i = 0; i < EXT2_TABLE; i++) {
        LIST_FOR_EACH (link, &ext2->table[i]) {
            const struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, chain);
            if (node->dirty || node->allocated)
                return true;
        }
    }
    return false;
}

bool ext2_check(const struct ext2 *ext2)
{
    uint64_t idle = 0, nodes = 0;

    for (size_t i = 0; i < EXT2_TABLE; i++) {
        LIST_FOR_EACH (link, &ext2->table[i]) {
            const struct ext2_node *node = CONTAINER_OF(link, struct ext2_node, chain);
            const bool held = node->inode.references > 0 || node->children > 0;
            nodes++;
            idle += node->idle;
            if (!held && !node->idle && !node->orphan)
                return false;
            if (node->orphan != (node->inode.links == 0) && !ext2->fs.read_only)
                return false;
        }
    }
    return idle == ext2->idle_count && nodes == ext2->node_count && ext2_cache_check(&ext2->cache);
}
