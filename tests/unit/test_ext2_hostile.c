/* SPDX-License-Identifier: MIT */
/*
 * Damaged disks: whatever is on one, mounting it, walking through it and changing it ends, with errors perhaps, and
 * touches no memory that it should not. The sanitizers and the harness's time limit judge.
 */
#include <stdio.h>
#include <string.h>

#include "../../servers/fs/ext2.h"
#include "../../servers/fs/tree.h"
#include "ext2_image.h"
#include "fs_memory.h"
#include "harness.h"

#define DISK_BYTES    (2UL << 20)
#define DISKS_PART    400u /* damaged disks a row are a part of the steps */
#define DAMAGES       12u
#define NAMES_MAX     64u
#define DEPTH_MAX     4u
#define CONTENT_BYTES 20000u

static uint64_t test_now(void)
{
    return test_step * 1000000007;
}

/* --- Walking and changing --- */

struct names {
    size_t count;
    char names[NAMES_MAX][FILE_NAME_MAX + 1];
};

static bool collect(void *argument, const struct listed *entry)
{
    struct names *names = argument;

    EXPECT(entry->length > 0 && entry->length <= FILE_NAME_MAX && !memchr(entry->name, '/', entry->length));
    memcpy(names->names[names->count], entry->name, entry->length);
    names->names[names->count][entry->length] = '\0';
    return ++names->count < NAMES_MAX;
}

static void use_file(struct inode *inode)
{
    static char content[CONTENT_BYTES];
    const uint64_t places[] = {0, inode->size / 2, inode->size};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const long got = inode_read(inode, places[i], content, 5000);
        EXPECT(got <= 5000);
    }
    if (random_chance(50))
        (void)!inode_write(inode, random_below(inode->size + 1), content, 1 + random_below(CONTENT_BYTES - 1));
    if (random_chance(30))
        (void)!inode_truncate(inode, random_below(inode->size + 10000));
    (void)inode_stored(inode);
}

static void change_name(const struct tree *tree, const char *path, const char *other)
{
    switch (random_below(8)) {
    case 0:
        (void)!tree_unlink(tree, path);
        break;
    case 1:
        (void)!tree_rmdir(tree, path);
        break;
    case 2:
        (void)!tree_rename(tree, path, other);
        break;
    case 3:
        (void)!tree_link(tree, path, other, 0);
        break;
    case 4:
        (void)!tree_mkdir(tree, other, 0755);
        break;
    case 5:
        (void)!tree_symlink(tree, path, other);
        break;
    default:
        break;
    }
}

/* Everything below a directory. */
static void walk(const struct tree *tree, const char *path, unsigned depth)
{
    struct names names = {0};
    struct inode *inode;
    char target[TREE_PATH_BYTES];

    if (tree_find(tree, path, 0, &inode) < 0)
        return;
    if (inode_is(inode, MODE_SYMLINK))
        (void)!tree_readlink(tree, path, target, sizeof(target));
    if (inode_is(inode, MODE_FILE)) {
        inode_get(inode);
        use_file(inode);
        inode_put(inode);
    }
    if (inode_is(inode, MODE_DIRECTORY) && depth < DEPTH_MAX) {
        (void)!tree_list(tree, inode, 2, collect, &names);
        for (size_t i = 0; i < names.count; i++) {
            char child[TREE_PATH_BYTES], other[TREE_PATH_BYTES];
            if (snprintf(child, sizeof(child), "%s/%s", path, names.names[i]) >= (int)sizeof(child))
                continue;
            if (snprintf(other, sizeof(other), "%s/new%u", path, (unsigned)random_below(5)) >= (int)sizeof(other))
                continue;
            walk(tree, child, depth + 1);
            change_name(tree, child, other);
            tree_settle(tree);
        }
    }
}

static void use(struct image *image)
{
    const struct ext2_options options = {.now = test_now, .read_only = random_chance(20)};
    struct ext2 *ext2;

    if (ext2_mount(&image->device, &options, &ext2) == 0) {
        const struct tree tree = {.base = ext2_file_system(ext2)};
        walk(&tree, "/", 0);
        EXPECT(ext2_check(ext2));
        (void)!tree_sync(&tree, SYNC_WHOLE);
        walk(&tree, "/", 0);
        (void)!ext2_unmount(ext2);
    }
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
}

/* --- Damage --- */

/* Bytes of the disk that are not zero, from a place on: where damage means something. */
static uint64_t used_place(const struct image *image)
{
    for (unsigned tries = 0; tries < 2000; tries++) {
        const uint64_t place = random_chance(40) ? 1024 + random_below(8192) : random_below(image->device.bytes);
        if (image->bytes[place])
            return place;
    }
    return 1024 + random_below(1024);
}

static void damage(struct image *image)
{
    static const uint32_t words[] = {0,  1,  2,    0x7fffffff, 0x80000000, 0xffffffff, 11,
                                     12, 64, 1024, 4096,       65535,      0xf30a};

    for (uint64_t count = 1 + random_below(DAMAGES); count > 0; count--) {
        const uint64_t place = used_place(image);
        uint32_t word;

        memcpy(&word, image->bytes + (place & ~3UL), sizeof(word));
        switch (random_below(4)) {
        case 0:
            image->bytes[place] = (char)(image->bytes[place] ^ (1 << random_below(8)));
            continue;
        case 1:
            image->bytes[place] = (char)random_next();
            continue;
        case 2:
            word = words[random_below(sizeof(words) / sizeof(words[0]))];
            break;
        default:
            /* Another block or inode than it was. */
            word = (uint32_t)random_below(random_chance(50) ? 64 : image->device.bytes / 1024);
        }
        memcpy(image->bytes + (place & ~3UL), &word, sizeof(word));
    }
}

#define TREE                                                                                                           \
    "mkdir -p a/b/c d && echo hello > a/f && head -c 300000 /dev/urandom > a/b/large && ln -s a/f s && "               \
    "ln -s $(head -c 200 /dev/zero | tr '\\0' x) a/slow && ln a/f d/hard && truncate -s 5000000 d/sparse && "          \
    "echo end >> d/sparse && for i in $(seq 100); do echo $i > d/a-file-with-a-rather-long-name-$i; done"

static void run(const char *options)
{
    struct image image, copy;

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&image, DISK_BYTES, options, TREE);
    use(&image);
    image_free(&image);
    image_make(&image, DISK_BYTES, options, TREE);
    for (test_step = 0; test_step < test_steps() / DISKS_PART; test_step++) {
        image_copy(&copy, &image);
        damage(&copy);
        use(&copy);
        image_free(&copy);
    }
    image_free(&image);
}

static void test_small_blocks(void)
{
    run("-t ext2 -b 1024");
}

static void test_pages(void)
{
    run("-t ext2 -b 4096");
}

static void test_extents(void)
{
    run("-t ext4 -b 1024 -O ^has_journal,^metadata_csum");
}

static void test_checksums(void)
{
    run("-t ext4 -b 2048 -O ^has_journal");
}

/* An indirect block that is its own, on three levels: billions of blocks, if one believes it. */
static void test_circle(void)
{
    struct image image;
    struct ext2 *ext2;
    struct inode *inode;
    const struct ext2_options options = {.now = test_now};
    uint32_t *words;

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&image, 8UL << 20, "-t ext2 -b 1024 -I 128 -N 64", "truncate -s 20M f && echo end >> f");
    words = (uint32_t *)(void *)image.bytes;
    EXPECT(ext2_mount(&image.device, &options, &ext2) == 0);
    const struct tree before = {.base = ext2_file_system(ext2)};
    EXPECT(tree_find(&before, "/f", 0, &inode) == 0);
    const uint64_t ino = inode->number;
    EXPECT(ext2_unmount(ext2) == 0);
    /* The table of inodes lies where the first descriptor, in block 2, says. */
    uint32_t *disk = words + (words[2 * 256 + 2] * 1024 + (ino - 1) * 128) / 4;
    const uint32_t circle = disk[10 + 13];
    EXPECT(circle > 0);
    for (size_t i = 0; i < 256; i++)
        words[circle * 256 + i] = circle;
    disk[10 + 14] = circle;
    EXPECT(ext2_mount(&image.device, &options, &ext2) == 0);
    const struct tree tree = {.base = ext2_file_system(ext2)};
    (void)!tree_unlink(&tree, "/f");
    EXPECT(ext2_check(ext2));
    (void)!ext2_unmount(ext2);
    image_free(&image);
}

static const struct test_row rows[] = {
    {"small_blocks", "damaged disks with blocks smaller than pages", test_small_blocks},
    {"pages", "damaged disks with blocks that are pages", test_pages},
    {"extents", "damaged disks with extents", test_extents},
    {"checksums", "damaged disks with extents and checksums", test_checksums},
    {"circle", "blocks that lead to themselves do not keep the server", test_circle},
};

TEST_MAIN("ext2_hostile", rows)
