/* SPDX-License-Identifier: MIT */
/*
 * The ext2 back end in rows: what mke2fs has put on a disk, what is left when the disk is full, read-only, failing or cut
 * off from its power, and inodes that lose their names while they are open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../servers/fs/ext2.h"
#include "../../servers/fs/tmpfs.h"
#include "../../servers/fs/tree.h"
#include "ext2_image.h"
#include "fs_memory.h"
#include "harness.h"

#define SMALL       (2UL << 20)
#define FIRST_TIME  1700000000000000000UL
#define SUPERBLOCK  1024u
#define STATE_PLACE (SUPERBLOCK + 0x3a) /* s_state */

static struct image image;
static struct ext2 *ext2;
static struct tree tree;
static uint64_t now = FIRST_TIME;

static uint64_t test_now(void)
{
    return ++now;
}

static void mount_as(bool read_only)
{
    const struct ext2_options options = {.now = test_now, .read_only = read_only};

    EXPECT(ext2_mount(&image.device, &options, &ext2) == 0);
    tree.base = ext2_file_system(ext2);
}

static void begin(uint64_t bytes, const char *options, const char *script)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&image, bytes, options, script);
    mount_as(false);
}

/* The disk is in order, and nothing is left in memory. */
static void end(void)
{
    EXPECT(ext2_check(ext2));
    EXPECT(ext2_unmount(ext2) == 0);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
    EXPECT(image_fsck(&image, false) == 0);
    image_free(&image);
}

static void remount(void)
{
    EXPECT(ext2_unmount(ext2) == 0);
    mount_as(false);
}

static struct inode *at(const char *path)
{
    struct inode *inode;
    return tree_find(&tree, path, 0, &inode) == 0 ? inode : NULL;
}

static struct inode *open_file(const char *path)
{
    struct inode *inode;
    EXPECT(tree_open(&tree, path, OPEN_CREATE | OPEN_WRITE, 0644, &inode) == 0);
    return inode;
}

static void put_text(const char *path, const char *text)
{
    struct inode *inode = open_file(path);
    EXPECT(inode_truncate(inode, 0) == 0 && inode_write(inode, 0, text, strlen(text)) == (long)strlen(text));
    inode_put(inode);
}

static bool holds(const char *path, const char *text)
{
    char content[256];
    struct inode *inode = at(path);

    return inode && inode->size == strlen(text) &&
           inode_read(inode, 0, content, sizeof(content)) == (long)strlen(text) &&
           memcmp(content, text, strlen(text)) == 0;
}

static bool count_name(void *argument, const struct listed *entry)
{
    ++*(size_t *)argument;
    return true;
}

static size_t names_in(const char *path)
{
    size_t count = 0;
    EXPECT(tree_list(&tree, at(path), 2, count_name, &count) == 0);
    return count;
}

static void test_made_outside(void)
{
    static char content[300000], expected[300000];
    char target[300];

    begin(8UL << 20, "-t ext2 -b 1024",
          "mkdir -m 750 d && echo text > d/f && chmod 4711 d/f && touch -d @1234567890 d/f && ln d/f hard && "
          "ln -s d/f fast && ln -s $(head -c 200 /dev/zero | tr '\\0' x) slow && "
          "yes 0123456789 | head -c 300000 > large && truncate -s 3000000 sparse && echo end >> sparse && "
          "mkdir many && for i in $(seq 300); do echo $i > many/a-name-that-is-not-short-$i; done");
    EXPECT(at("/d")->mode == (MODE_DIRECTORY | 0750) && at("/d")->links == 2 &&
           at("/d/f")->mode == (MODE_FILE | 04711));
    EXPECT(at("/d/f")->modified == 1234567890UL * 1000000000 && at("/hard") == at("/d/f") && at("/hard")->links == 2);
    EXPECT(holds("/d/f", "text\n") && tree_readlink(&tree, "/fast", target, sizeof(target)) == 3);
    EXPECT(memcmp(target, "d/f", 3) == 0 && tree_readlink(&tree, "/slow", target, sizeof(target)) == 200);
    EXPECT(target[0] == 'x' && target[199] == 'x' && tree_readlink(&tree, "/slow", target, 5) == 5);
    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = "0123456789\n"[i % 11];
    EXPECT(inode_read(at("/large"), 0, content, sizeof(content)) == sizeof(content));
    EXPECT(memcmp(content, expected, sizeof(content)) == 0 && inode_stored(at("/large")) >= sizeof(content));
    EXPECT(at("/sparse")->size == 3000004 && inode_read(at("/sparse"), 2999999, content, 100) == 5);
    EXPECT(memcmp(content, "\0end\n", 5) == 0 && inode_stored(at("/sparse")) < 20000);
    EXPECT(names_in("/many") == 300 && holds("/many/a-name-that-is-not-short-217", "217\n"));
    end();
}

static void test_times(void)
{
    begin(SMALL, "-t ext2 -b 1024 -I 256", NULL);
    put_text("/f", "x");
    EXPECT(inode_set_times(at("/f"), 5000000000123456789UL, 4000000000987654321UL) == 0);
    EXPECT(inode_chmod(at("/f"), 01234) == 0 && inode_chown(at("/f"), 70000, 80000) == 0);
    EXPECT(tree_mkdir(&tree, "/d", 0700) == 0);
    remount();
    EXPECT(at("/f")->accessed == 5000000000123456789UL && at("/f")->modified == 4000000000987654321UL);
    EXPECT(at("/f")->mode == (MODE_FILE | 01234) && at("/f")->user == 70000 && at("/f")->group == 80000);
    EXPECT(at("/d")->modified >= FIRST_TIME && at("/d")->modified <= now && at("/d")->mode == (MODE_DIRECTORY | 0700));
    end();
}

/* Fills the disk; true if it was with content, and not with inodes. */
static void fill_disk(void)
{
    static char block[8192];
    char path[32];
    int error = 0;

    for (unsigned i = 0; error == 0; i++) {
        struct inode *inode;
        snprintf(path, sizeof(path), "/full/%u", i);
        error = tree_open(&tree, path, OPEN_CREATE | OPEN_WRITE, 0644, &inode);
        if (error < 0)
            break;
        long written = 1;
        for (uint64_t place = 0; place < 200000 && written > 0; place += (uint64_t)written)
            written = inode_write(inode, place, block, sizeof(block));
        error = written < 0 ? (int)written : 0;
        inode_put(inode);
        tree_settle(&tree);
    }
    EXPECT(error == -ENOSPC);
}

static void test_full(void)
{
    static const char *const kinds[] = {"-t ext2 -b 1024", "-t ext2 -b 1024 -N 32", "-t ext4 -b 2048 -O ^has_journal"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct volume before, after;
        char path[32];

        begin(SMALL, kinds[i], NULL);
        EXPECT(tree_mkdir(&tree, "/full", 0755) == 0);
        tree.base->operations->volume(tree.base, &before);
        fill_disk();
        (void)!tree_mkdir(&tree, "/more", 0755);
        EXPECT(!tree.base->read_only && tree_sync(&tree, SYNC_WHOLE) == 0 && image_fsck(&image, false) == 0);
        for (unsigned n = 0; snprintf(path, sizeof(path), "/full/%u", n) > 0 && at(path); n++)
            EXPECT(tree_unlink(&tree, path) == 0);
        (void)!tree_rmdir(&tree, "/more");
        tree.base->operations->volume(tree.base, &after);
        /* A directory keeps the blocks that it grew by. */
        EXPECT(after.free_blocks + 8 >= before.free_blocks && after.free_inodes == before.free_inodes);
        put_text("/again", "room");
        end();
    }
}

static void test_read_only(void)
{
    struct inode *inode;

    begin(SMALL, "-t ext2", "echo x > f && mkdir d");
    EXPECT(ext2_unmount(ext2) == 0);
    image.device.read_only = true;
    mount_as(false);
    EXPECT(tree.base->read_only && holds("/f", "x\n"));
    EXPECT(tree_mkdir(&tree, "/new", 0755) == -EROFS && tree_unlink(&tree, "/f") == -EROFS);
    EXPECT(tree_rmdir(&tree, "/d") == -EROFS && tree_rename(&tree, "/f", "/g") == -EROFS);
    EXPECT(tree_open(&tree, "/f", OPEN_WRITE, 0, &inode) == -EROFS);
    EXPECT(tree_open(&tree, "/n", OPEN_CREATE, 0644, &inode) == -EROFS && inode_chmod(at("/f"), 0) == -EROFS);
    EXPECT(inode_truncate(at("/f"), 0) == -EROFS && inode_write(at("/f"), 0, "y", 1) == -EROFS);
    EXPECT(inode_set_times(at("/f"), 0, 0) == -EROFS && tree_link(&tree, "/f", "/g", 0) == -EROFS);
    EXPECT(tree_sync(&tree, SYNC_WHOLE) == 0 && image.writes == 0);
    image.device.read_only = false;
    end();
}

static void test_too_big(void)
{
    begin(SMALL, "-t ext2 -b 1024", NULL);
    struct inode *inode = open_file("/f");
    /* 12 + 256 + 256^2 + 256^3 blocks of 1 KiB. */
    const uint64_t most = (12UL + 256 + 65536 + 16777216) * 1024;
    EXPECT(inode_truncate(inode, most) == 0 && inode_truncate(inode, most + 1) == -EFBIG && inode->size == most);
    EXPECT(inode_write(inode, most, "x", 1) == -EFBIG && inode_write(inode, most - 1, "xy", 2) <= 1);
    EXPECT(inode_truncate(inode, 1UL << 33) == 0 && inode_write(inode, (1UL << 33) - 1, "z", 1) == 1);
    inode_put(inode);
    remount();
    EXPECT(at("/f")->size == 1UL << 33);
    end();
}

static void test_other_file_systems(void)
{
    struct ext2 *other;
    const struct ext2_options options = {.now = test_now};

    begin(SMALL, "-t ext2", NULL);
    EXPECT(ext2_unmount(ext2) == 0);
    image.bytes[SUPERBLOCK + 0x63] = 0x10; /* a feature nobody knows */
    EXPECT(ext2_mount(&image.device, &options, &other) == -EINVAL);
    memset(image.bytes, 0, SMALL);
    EXPECT(ext2_mount(&image.device, &options, &other) == -EINVAL);
    EXPECT(fs_test_memory.blocks == 0);
    image_free(&image);
}

/* --- Orphans --- */

static void test_orphans(void)
{
    struct image cut;
    struct volume before, after;

    begin(SMALL, "-t ext2 -b 1024", NULL);
    tree.base->operations->volume(tree.base, &before);
    struct inode *one = open_file("/one"), *two = open_file("/two"), *directory;
    EXPECT(tree_mkdir(&tree, "/d", 0755) == 0 && tree_open(&tree, "/d", OPEN_DIRECTORY, 0, &directory) == 0);
    EXPECT(inode_write(one, 0, "content", 7) == 7 && inode_write(two, 50000, "x", 1) == 1);
    EXPECT(tree_unlink(&tree, "/one") == 0 && tree_unlink(&tree, "/two") == 0 && tree_rmdir(&tree, "/d") == 0);
    EXPECT(one->links == 0 && inode_write(one, 7, " more", 5) == 5 && inode_stored(two) > 0);
    EXPECT(tree_sync(&tree, SYNC_WHOLE) == 0 && image_orphans(&image));
    /* The machine stops here. */
    image_copy(&cut, &image);
    inode_put(one);
    inode_put(directory);
    inode_put(two);
    end();
    image = cut;
    mount_as(false);
    EXPECT(!image_orphans(&image) && image_fsck(&image, false) == 0);
    tree.base->operations->volume(tree.base, &after);
    EXPECT(after.free_blocks == before.free_blocks && after.free_inodes == before.free_inodes);
    end();
}

/* --- Beside another file system --- */

static int load_nothing(uint64_t source, uint64_t offset, void *data, size_t bytes)
{
    return -EIO;
}

static void test_covered(void)
{
    struct tmpfs tmpfs;
    struct inode *inode;
    char path[32];

    begin(SMALL, "-t ext2", "mkdir -p home/me bin && echo disk > bin/hidden && echo disk > home/me/f");
    EXPECT(tmpfs_init(&tmpfs, test_now, load_nothing) == 0);
    const struct tree memory = {.base = &tmpfs.fs};
    EXPECT(tree_mkdir(&memory, "/bin", 0755) == 0 && tree_mkdir(&memory, "/tmp", 0755) == 0);
    tree.over = &tmpfs.fs;
    EXPECT(names_in("/") == 4 && !at("/bin/hidden") && at("/bin")->fs == &tmpfs.fs); /* lost+found, home */
    EXPECT(tree_mkdir(&tree, "/tmp/d", 0755) == 0 && at("/tmp/d/../../home/me") == at("/home/me"));
    EXPECT(at("/tmp/..") == tree.base->root && at("/..") == tree.base->root && holds("/tmp/../home/me/f", "disk\n"));
    EXPECT(tree_find(&tree, "/tmp/d", 0, &inode) == 0);
    EXPECT(tree_directory_path(&tree, inode, path, sizeof(path)) == 0 && strcmp(path, "/tmp/d") == 0);
    EXPECT(tree_rmdir(&tree, "/bin") == -EBUSY && tree_rename(&tree, "/tmp", "/t") == -EBUSY);
    EXPECT(tree_rename(&tree, "/home", "/bin") == -EBUSY && tree_mkdir(&tree, "/tmp", 0755) == -EEXIST);
    EXPECT(tree_rename(&tree, "/home", "/tmp/home") == -EXDEV && tree_rename(&tree, "/tmp/d", "/d") == -EXDEV);
    EXPECT(tree_link(&tree, "/home/me/f", "/tmp/f", 0) == -EXDEV);
    put_text("/new", "of the disk");
    EXPECT(at("/new")->fs == tree.base && names_in("/") == 5);
    tree.over = NULL;
    EXPECT(holds("/bin/hidden", "disk\n") && tmpfs_check(&tmpfs));
    tmpfs_destroy(&tmpfs);
    end();
}

/* --- When things break --- */

/* Some of everything. Errors are looked at by nobody. */
static void work(void)
{
    static char content[30000];
    struct inode *inode;

    (void)!tree_mkdir(&tree, "/w", 0755);
    if (tree_open(&tree, "/w/f", OPEN_CREATE | OPEN_WRITE, 0644, &inode) == 0) {
        (void)!inode_write(inode, 100, content, sizeof(content));
        (void)!tree_rename(&tree, "/w/f", "/kept");
        (void)!tree_sync(&tree, SYNC_WHOLE);
        (void)!inode_truncate(inode, 5000);
        (void)!tree_unlink(&tree, "/kept");
        inode_put(inode);
    }
    (void)!tree_symlink(&tree, "somewhere", "/w/s");
    (void)!tree_link(&tree, "/old", "/w/hard", 0);
    (void)!tree_sync(&tree, SYNC_WHOLE);
    (void)!tree_rmdir(&tree, "/w");
    tree_settle(&tree);
    (void)!tree_sync(&tree, SYNC_WHOLE);
}

/* Lets a read, or a write, fail and all behind it. False: there are not so many. */
static bool fail_one(const struct image *good, uint64_t read, uint64_t write)
{
    image_copy(&image, good);
    mount_as(false);
    image.fail_read = read == IMAGE_NEVER ? read : image.reads + read;
    image.fail_write = write;
    const uint64_t reads = image.reads;
    work();
    EXPECT(ext2_check(ext2));
    const bool failed = image.writes > write || (read != IMAGE_NEVER && image.reads - reads > read);
    (void)!ext2_unmount(ext2);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
    /* Whatever got there before can be repaired, and what was there of old is there. */
    image.fail_read = image.fail_write = IMAGE_NEVER;
    EXPECT(image_fsck(&image, true) <= 1);
    mount_as(false);
    EXPECT(holds("/old", "old\n"));
    EXPECT(ext2_unmount(ext2) == 0);
    image_free(&image);
    return failed;
}

static void test_device_errors(void)
{
    struct image good;

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&good, SMALL, "-t ext2 -b 1024", "echo old > old");
    for (test_step = 0; fail_one(&good, test_step, IMAGE_NEVER); test_step++)
        continue;
    EXPECT(test_step > 1);
    for (test_step = 0; fail_one(&good, IMAGE_NEVER, test_step); test_step++)
        continue;
    EXPECT(test_step > 10);
    image_free(&good);
}

static void test_memory(void)
{
    struct image good;
    bool failed = true;

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&good, SMALL, "-t ext4 -b 1024 -O ^has_journal", "echo old > old");
    for (test_step = 0; failed; test_step++) {
        const struct ext2_options options = {.now = test_now};
        image_copy(&image, &good);
        fs_test_memory = (struct fs_test_memory){.fail_at = test_step};
        const int error = ext2_mount(&image.device, &options, &ext2);
        EXPECT(error == 0 || error == -ENOMEM);
        if (error == 0) {
            tree.base = ext2_file_system(ext2);
            work();
            EXPECT(ext2_check(ext2) && !tree.base->read_only && ext2_unmount(ext2) == 0);
        }
        failed = fs_test_memory.failed;
        EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0 && image_fsck(&image, false) == 0);
        image_free(&image);
    }
    EXPECT(test_step > 30);
    image_free(&good);
}

/* What was there at the last sync, by the step of the work that has been confirmed. */
static void power_cut_work(uint64_t *confirmed)
{
    char path[32], text[32];

    *confirmed = 0;
    for (unsigned i = 1; i <= 12; i++) {
        snprintf(path, sizeof(path), "/d%u", i % 4);
        (void)!tree_mkdir(&tree, path, 0755);
        snprintf(path, sizeof(path), "/d%u/%u", i % 4, i);
        snprintf(text, sizeof(text), "content of %u", i);
        put_text(path, text);
        if (i > 6) {
            snprintf(path, sizeof(path), "/d%u/%u", (i - 6) % 4, i - 6);
            EXPECT(tree_unlink(&tree, path) == 0);
        }
        EXPECT(tree_sync(&tree, SYNC_WHOLE) == 0);
        if (image.writes <= image.cut_write)
            *confirmed = i;
    }
}

static void test_power_cut(void)
{
    struct image good;
    uint64_t confirmed = 0;
    char path[32], text[32];

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&good, SMALL, "-t ext2 -b 1024", NULL);
    for (test_step = 0; confirmed < 12; test_step++) {
        image_copy(&image, &good);
        mount_as(false);
        image.cut_write = test_step;
        power_cut_work(&confirmed);
        (void)!ext2_unmount(ext2);
        image.cut_write = IMAGE_NEVER;
        uint16_t state;
        memcpy(&state, image.bytes + STATE_PLACE, sizeof(state));
        /* One that says that it is in order is; else e2fsck knows what to do. */
        EXPECT((state & 1) ? image_fsck(&image, false) == 0 : image_fsck(&image, true) <= 1);
        mount_as(false);
        for (uint64_t i = confirmed > 5 ? confirmed - 4 : 1; i <= confirmed; i++) {
            snprintf(path, sizeof(path), "/d%u/%u", (unsigned)i % 4, (unsigned)i);
            snprintf(text, sizeof(text), "content of %u", (unsigned)i);
            EXPECT(holds(path, text));
        }
        EXPECT(ext2_unmount(ext2) == 0);
        image_free(&image);
    }
    EXPECT(test_step > 50);
    image_free(&good);
}

/* A file that is given a name again and again, which is in another directory, with a sync in between or not. */
static void rename_work(uint64_t *confirmed)
{
    char text[32];

    *confirmed = 0;
    for (unsigned i = 1; i <= 8; i++) {
        snprintf(text, sizeof(text), "content of %u", i);
        put_text("/from/new", text);
        if (i % 2)
            EXPECT(tree_sync(&tree, SYNC_WHOLE) == 0);
        EXPECT(tree_rename(&tree, "/from/new", "/to/name") == 0 && tree_sync(&tree, SYNC_WHOLE) == 0);
        EXPECT(tree_rename(&tree, i % 2 ? "/to/walks" : "/from/walks", i % 2 ? "/from/walks" : "/to/walks") == 0);
        if (image.writes <= image.cut_write)
            *confirmed = i;
    }
}

/* True if the file has what was confirmed, or what came next. */
static bool has_one_of(const char *path, uint64_t confirmed)
{
    char text[2][32];

    for (unsigned i = 0; i < 2; i++)
        snprintf(text[i], sizeof(text[i]), confirmed + i > 0 ? "content of %u" : "old\n", (unsigned)confirmed + i);
    return holds(path, text[0]) || holds(path, text[1]);
}

static void test_rename_cut(void)
{
    struct image good;
    uint64_t confirmed = 0;

    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    image_make(&good, SMALL, "-t ext2 -b 1024", "mkdir from to && echo old > to/name && echo walks > to/walks");
    for (test_step = 0; confirmed < 8; test_step++) {
        image_copy(&image, &good);
        mount_as(false);
        image.cut_write = test_step;
        rename_work(&confirmed);
        (void)!ext2_unmount(ext2);
        image.cut_write = IMAGE_NEVER;
        EXPECT(image_fsck(&image, true) <= 1);
        mount_as(false);
        EXPECT(has_one_of("/to/name", confirmed));
        EXPECT((at("/to/walks") && holds("/to/walks", "walks\n")) || holds("/from/walks", "walks\n"));
        EXPECT(ext2_unmount(ext2) == 0);
        image_free(&image);
    }
    EXPECT(test_step > 50);
    image_free(&good);
}

static const struct test_row rows[] = {
    {"made_outside", "what mke2fs was given is there", test_made_outside},
    {"times", "times, modes and owners are there after a mount", test_times},
    {"full", "a full disk gives ENOSPC, stays in order, and has room again", test_full},
    {"read_only", "a read-only disk refuses changes and sees no write", test_read_only},
    {"too_big", "files end where their blocks do, with EFBIG", test_too_big},
    {"other_file_systems", "what is not known is not mounted", test_other_file_systems},
    {"orphans", "files without names are there while they are open, and gone after a crash", test_orphans},
    {"covered", "another file system's names cover those of the root", test_covered},
    {"device_errors", "a device that fails at any place costs errors and nothing else", test_device_errors},
    {"memory", "an allocation that fails at any place costs errors and nothing else", test_memory},
    {"power_cut", "whatever a sync has confirmed is there when the power goes at any write", test_power_cut},
    {"rename_cut", "a name that is given to another file means one of them when the power goes", test_rename_cut},
};

TEST_MAIN("ext2", rows)
