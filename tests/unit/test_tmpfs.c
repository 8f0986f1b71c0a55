/* SPDX-License-Identifier: MIT */
/*
 * The tmpfs in rows: paths, links, what an error leaves behind, and memory that fails at every place in turn.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../servers/fs/tmpfs.h"
#include "../../servers/fs/tree.h"
#include "fs_memory.h"
#include "harness.h"

#define PAGE_BYTES 4096u

static struct tmpfs fs;
static const struct tree tree = {.base = &fs.fs};
static uint64_t now;

static uint64_t test_now(void)
{
    return ++now;
}

/* The seed's content: bytes that follow from their place; source 666 cannot be read. */
static int test_load(uint64_t source, uint64_t offset, void *data, size_t bytes)
{
    if (source == 666)
        return -ENODEV;
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)data)[i] = (uint8_t)(source + offset + i);
    return 0;
}

static void begin(void)
{
    fs_test_memory = (struct fs_test_memory){.fail_at = FS_MEMORY_NEVER_FAIL};
    EXPECT(tmpfs_init(&fs, test_now, test_load) == 0);
}

static void end(void)
{
    EXPECT(tmpfs_check(&fs));
    tmpfs_destroy(&fs);
    EXPECT(fs_test_memory.blocks == 0 && fs_test_memory.pages == 0);
}

/* Makes an empty file, or opens one; 0 or the error. */
static int touch(const char *path)
{
    struct inode *inode;
    const int error = tree_open(&tree, path, OPEN_CREATE, 0644, &inode);

    if (error == 0)
        inode_put(inode);
    return error;
}

static struct inode *at(const char *path)
{
    struct inode *inode;
    return tree_find(&tree, path, 0, &inode) == 0 ? inode : NULL;
}

static bool found_one(void *argument, const struct listed *entry)
{
    *(bool *)argument = true;
    return false;
}

static void test_paths(void)
{
    struct inode *inode;
    char path[TREE_PATH_BYTES + 1];

    begin();
    EXPECT(tree_mkdir(&tree, "/d", 0755) == 0 && touch("/d/f") == 0);
    EXPECT(at("/") == fs.fs.root && at("///") == fs.fs.root && at("/.") == fs.fs.root && at("/../..") == fs.fs.root);
    EXPECT(at("/d/") == at("/d") && at("//d//.//..//d/./f") == at("/d/f") && at("/d/f"));
    EXPECT(tree_find(&tree, "/d/f/", 0, &inode) == -ENOTDIR);
    EXPECT(tree_find(&tree, "/d/f/.", 0, &inode) == -ENOTDIR);
    EXPECT(tree_find(&tree, "/d/f/x", 0, &inode) == -ENOTDIR);
    EXPECT(tree_find(&tree, "/x/f", 0, &inode) == -ENOENT);
    EXPECT(tree_find(&tree, "", 0, &inode) == -ENOENT);
    EXPECT(tree_find(&tree, "d", 0, &inode) == -EINVAL);
    memset(path, '/', sizeof(path));
    path[TREE_PATH_BYTES] = '\0';
    EXPECT(tree_find(&tree, path, 0, &inode) == -ENAMETOOLONG);
    path[TREE_PATH_BYTES - 1] = '\0';
    EXPECT(tree_find(&tree, path, 0, &inode) == 0);
    memset(path + 1, 'n', FILE_NAME_MAX + 1);
    EXPECT(tree_mkdir(&tree, path, 0755) == -ENAMETOOLONG);
    path[FILE_NAME_MAX + 1] = '\0';
    EXPECT(tree_mkdir(&tree, path, 0755) == 0 && at(path));
    EXPECT(tree_mkdir(&tree, "/..", 0755) == -EEXIST && tree_mkdir(&tree, "/.", 0755) == -EEXIST);
    end();
}

static void test_symlinks(void)
{
    struct inode *inode;
    char target[8], long_target[TREE_PATH_BYTES + 1];

    begin();
    EXPECT(tree_mkdir(&tree, "/d", 0755) == 0 && tree_mkdir(&tree, "/d/e", 0755) == 0 && touch("/d/e/f") == 0);
    EXPECT(tree_symlink(&tree, "d/e", "/to-e") == 0 && tree_symlink(&tree, "../to-e/f", "/d/to-f") == 0);
    EXPECT(tree_symlink(&tree, "/", "/to-root") == 0 && tree_symlink(&tree, "d/", "/to-d") == 0);
    EXPECT(at("/to-e/f") == at("/d/e/f") && at("/to-e/../to-f") == at("/d/to-f"));
    EXPECT(tree_find(&tree, "/to-root/d/to-f", WALK_FOLLOW, &inode) == 0 && inode == at("/d/e/f"));
    EXPECT(inode_is(at("/to-e"), MODE_SYMLINK) && inode_is(at("/to-e/"), MODE_DIRECTORY));
    EXPECT(tree_find(&tree, "/to-root", WALK_FOLLOW, &inode) == 0 && inode == fs.fs.root);
    EXPECT(tree_find(&tree, "/to-d", WALK_FOLLOW, &inode) == 0 && inode == at("/d"));
    EXPECT(tree_find(&tree, "/d/to-f/", WALK_FOLLOW, &inode) == -ENOTDIR);
    EXPECT(tree_readlink(&tree, "/to-e", target, sizeof(target)) == 3 && memcmp(target, "d/e", 3) == 0);
    EXPECT(tree_readlink(&tree, "/to-e", target, 1) == 1 && tree_readlink(&tree, "/d", target, 8) == -EINVAL);
    EXPECT(tree_symlink(&tree, "", "/x") == -ENOENT && tree_symlink(&tree, "x", "/to-e") == -EEXIST);
    EXPECT(tree_symlink(&tree, "x", "/x/") == -ENOENT);
    EXPECT(tree_symlink(&tree, "self", "/self") == 0 && tree_find(&tree, "/self", WALK_FOLLOW, &inode) == -ELOOP);
    EXPECT(tree_symlink(&tree, "/nowhere", "/dangling") == 0);
    EXPECT(tree_mkdir(&tree, "/dangling", 0755) == -EEXIST && touch("/dangling") == 0 && at("/nowhere"));
    memset(long_target, 'x', sizeof(long_target));
    long_target[TREE_PATH_BYTES] = '\0';
    EXPECT(tree_symlink(&tree, long_target, "/x") == -ENAMETOOLONG);
    long_target[TREE_PATH_BYTES - 1] = '\0';
    EXPECT(tree_symlink(&tree, long_target, "/x") == 0);
    EXPECT(tree_find(&tree, "/x/more", 0, &inode) == -ENAMETOOLONG);
    EXPECT(tree_unlink(&tree, "/to-e") == 0 && at("/d/e"));
    end();
}

static void test_chain(void)
{
    struct inode *inode;
    char name[16], target[16];

    begin();
    EXPECT(touch("/link0") == 0);
    for (unsigned i = 1; i <= TREE_LINKS_MAX + 1; i++) {
        snprintf(name, sizeof(name), "/link%u", i);
        snprintf(target, sizeof(target), "link%u", i - 1);
        EXPECT(tree_symlink(&tree, target, name) == 0);
    }
    EXPECT(tree_find(&tree, name, WALK_FOLLOW, &inode) == -ELOOP);
    snprintf(name, sizeof(name), "/link%u", TREE_LINKS_MAX);
    EXPECT(tree_find(&tree, name, WALK_FOLLOW, &inode) == 0 && inode == at("/link0"));
    end();
}

static void test_open(void)
{
    struct inode *one, *other;

    begin();
    EXPECT(tree_open(&tree, "/f", 0, 0, &one) == -ENOENT);
    EXPECT(tree_open(&tree, "/f", OPEN_CREATE | OPEN_EXCLUSIVE, 01755, &one) == 0 && one->mode == (MODE_FILE | 01755));
    EXPECT(tree_open(&tree, "/f", OPEN_CREATE | OPEN_EXCLUSIVE, 0, &other) == -EEXIST);
    EXPECT(inode_write(one, 0, "content", 7) == 7);
    EXPECT(tree_open(&tree, "/f", OPEN_DIRECTORY, 0, &other) == -ENOTDIR);
    EXPECT(tree_open(&tree, "/", OPEN_WRITE, 0, &other) == -EISDIR);
    EXPECT(tree_open(&tree, "/", OPEN_CREATE, 0, &other) == -EISDIR);
    EXPECT(tree_open(&tree, "/new/", OPEN_CREATE, 0, &other) == -EISDIR && !at("/new"));
    EXPECT(tree_symlink(&tree, "f", "/s") == 0 && tree_open(&tree, "/s", OPEN_NOFOLLOW, 0, &other) == -ELOOP);
    EXPECT(tree_open(&tree, "/s", OPEN_CREATE | OPEN_EXCLUSIVE, 0, &other) == -EEXIST);
    EXPECT(tree_open(&tree, "/s", OPEN_TRUNCATE, 0, &other) == 0 && other == one && one->size == 0);
    inode_put(other);
    EXPECT(tree_unlink(&tree, "/f") == 0 && one->links == 0 && inode_write(one, 0, "x", 1) == 1);
    EXPECT(fs.inodes == 3);
    inode_put(one);
    EXPECT(fs.inodes == 2);
    end();
}

static void test_removed_directory(void)
{
    struct inode *directory;
    char path[16];

    begin();
    EXPECT(tree_mkdir(&tree, "/d", 0755) == 0 && tree_open(&tree, "/d", OPEN_DIRECTORY, 0, &directory) == 0);
    EXPECT(tree_directory_path(&tree, directory, path, sizeof(path)) == 0 && strcmp(path, "/d") == 0);
    EXPECT(tree_directory_path(&tree, directory, path, 2) == -ERANGE);
    EXPECT(tree_rmdir(&tree, "/d") == 0 && directory->links == 0);
    EXPECT(tree_directory_path(&tree, directory, path, sizeof(path)) == -ENOENT);
    bool found = false;
    EXPECT(tree_list(&tree, directory, 2, found_one, &found) == 0 && !found);
    inode_put(directory);
    end();
}

static void test_resolve(void)
{
    char path[32];

    begin();
    EXPECT(tree_mkdir(&tree, "/d", 0755) == 0 && touch("/d/f") == 0 && tree_symlink(&tree, "d", "/s") == 0);
    EXPECT(tree_symlink(&tree, "s/f", "/t") == 0);
    EXPECT(tree_resolve(&tree, "/t", path, sizeof(path)) == 0 && strcmp(path, "/d/f") == 0);
    EXPECT(tree_resolve(&tree, "/s/../s/.", path, sizeof(path)) == 0 && strcmp(path, "/d") == 0);
    EXPECT(tree_resolve(&tree, "/s/..", path, sizeof(path)) == 0 && strcmp(path, "/") == 0);
    EXPECT(tree_resolve(&tree, "/t", path, 4) == -ERANGE && tree_resolve(&tree, "/t", path, 5) == 0);
    EXPECT(tree_resolve(&tree, "/none", path, sizeof(path)) == -ENOENT);
    end();
}

static void test_rename(void)
{
    struct inode *file;

    begin();
    EXPECT(tree_mkdir(&tree, "/a", 0755) == 0 && tree_mkdir(&tree, "/b", 0755) == 0 && touch("/a/f") == 0);
    EXPECT(tree_mkdir(&tree, "/a/c", 0755) == 0 && touch("/b/g") == 0);
    file = at("/a/f");
    EXPECT(tree_rename(&tree, "/a/f", "/b/g") == 0 && at("/b/g") == file && !at("/a/f"));
    EXPECT(tree_rename(&tree, "/a", "/a/c/x") == -EINVAL && tree_rename(&tree, "/a", "/a") == 0);
    EXPECT(tree_rename(&tree, "/a", "/b") == -ENOTEMPTY && tree_rename(&tree, "/a/c", "/a") == -ENOTEMPTY);
    EXPECT(tree_rename(&tree, "/", "/x") == -EBUSY && tree_rename(&tree, "/a", "/") == -EBUSY);
    EXPECT(tree_rename(&tree, "/a/.", "/x") == -EINVAL && tree_rename(&tree, "/a/c/..", "/x") == -EINVAL);
    EXPECT(tree_rename(&tree, "/b/g", "/x/") == -ENOTDIR && tree_rename(&tree, "/b/g/", "/x") == -ENOTDIR);
    EXPECT(tree_rename(&tree, "/b/g", "/a") == -EISDIR && tree_rename(&tree, "/a", "/b/g") == -ENOTDIR);
    EXPECT(tree_rename(&tree, "/a/c", "/b/c/") == 0 && at("/b/c")->parent == at("/b"));
    EXPECT(at("/a")->links == 2 && at("/b")->links == 3 && at("/b/c/..") == at("/b"));
    EXPECT(tree_rename(&tree, "/b/c", "/a") == 0 && at("/a") && !at("/b/c") && at("/b")->links == 2);
    EXPECT(tree_link(&tree, "/b/g", "/b/h", 0) == 0 && tree_rename(&tree, "/b/g", "/b/h") == 0 && at("/b/g"));
    end();
}

static void test_content(void)
{
    char page[PAGE_BYTES], read[PAGE_BYTES];
    struct inode *file;

    begin();
    memset(page, 'x', sizeof(page));
    EXPECT(tree_open(&tree, "/f", OPEN_CREATE, 0, &file) == 0);
    EXPECT(inode_write(file, 1UL << 30, "y", 1) == 1 && file->size == (1UL << 30) + 1);
    EXPECT(inode_stored(file) == PAGE_BYTES && inode_read(file, 12345, read, 10) == 10 && read[0] == 0);
    EXPECT(inode_write(file, PAGE_BYTES - 10, page, PAGE_BYTES) == PAGE_BYTES);
    EXPECT(inode_truncate(file, PAGE_BYTES) == 0 && inode_stored(file) == PAGE_BYTES);
    EXPECT(inode_truncate(file, PAGE_BYTES - 5) == 0 && inode_truncate(file, 2 * PAGE_BYTES) == 0);
    EXPECT(inode_read(file, PAGE_BYTES - 10, read, 20) == 20);
    EXPECT(memcmp(read, "xxxxx\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) == 0);
    EXPECT(inode_read(file, 2 * PAGE_BYTES, read, 1) == 0 && inode_read(file, UINT64_MAX, read, 1) == 0);
    EXPECT(inode_write(file, STORAGE_BYTES_MAX, "x", 1) == -EFBIG);
    EXPECT(inode_write(file, STORAGE_BYTES_MAX - 1, "xy", 2) == 1);
    EXPECT(inode_truncate(file, STORAGE_BYTES_MAX + 1) == -EFBIG && inode_truncate(fs.fs.root, 0) == -EINVAL);
    inode_put(file);
    end();
}

static void test_seeded(void)
{
    uint8_t bytes[16];
    struct inode *file;

    begin();
    EXPECT(tree_seed(&tree, "/f", 0755, 5, 10000) == 0 && tree_seed(&tree, "/bad", 0755, 666, 10) == 0);
    EXPECT(tree_open(&tree, "/f", 0, 0, &file) == 0 && file->size == 10000 && fs_test_memory.pages == 0);
    EXPECT(inode_read(file, 9000, bytes, 16) == 16 && bytes[0] == (uint8_t)9005 && fs_test_memory.pages == 4);
    EXPECT(inode_read(at("/bad"), 0, bytes, 1) == -EIO && inode_write(at("/bad"), 0, "x", 1) == -EIO);
    EXPECT(inode_truncate(at("/bad"), 5) == -EIO && inode_truncate(at("/bad"), 0) == 0);
    EXPECT(inode_write(at("/bad"), 0, "x", 1) == 1);
    EXPECT(tree_seed(&tree, "/cut", 0755, 7, 10000) == 0 && inode_truncate(at("/cut"), 1) == 0);
    EXPECT(inode_read(at("/cut"), 0, bytes, 16) == 1 && bytes[0] == 7);
    inode_put(file);
    end();
}

static void test_numbers(void)
{
    char name[16];
    uint64_t first = 0;

    begin();
    /* All short numbers in use, and more. */
    for (unsigned i = 0; i < TMPFS_SHORT_NUMBERS + 10; i++) {
        snprintf(name, sizeof(name), "/%u", i);
        EXPECT(touch(name) == 0);
        if (i == 0)
            first = at("/0")->number;
    }
    EXPECT(at(name)->number >= TMPFS_SHORT_NUMBERS);
    EXPECT(tree_unlink(&tree, "/0") == 0 && touch("/again") == 0 && at("/again")->number == first);
    EXPECT(tmpfs_check(&fs));
    end();
}

static void test_links_max(void)
{
    char name[16];
    unsigned made = 1;

    begin();
    EXPECT(touch("/0") == 0);
    for (; made < TMPFS_HARD_MAX; made++) {
        snprintf(name, sizeof(name), "/%u", made);
        EXPECT(tree_link(&tree, "/0", name, 0) == 0);
    }
    EXPECT(tree_link(&tree, "/0", "/more", 0) == -EMLINK);
    EXPECT(tree_unlink(&tree, "/5") == 0 && tree_link(&tree, "/0", "/more", 0) == 0);
    end();
}

/* One of each operation, in an order in which all work if there is memory; the first error, if any. */
static int run_all(void)
{
    static const char content[3 * PAGE_BYTES] = "content";
    struct inode *file = NULL;

    int error = tree_mkdir(&tree, "/d", 0755);
    if (error == 0)
        error = tree_open(&tree, "/d/f", OPEN_CREATE, 0644, &file);
    if (error < 0)
        return error;
    long written = 0;
    while (written >= 0 && (size_t)written < sizeof(content)) {
        const long part = inode_write(file, (uint64_t)written, content + written, sizeof(content) - (size_t)written);
        written = part < 0 ? part : written + part;
    }
    error = written < 0 ? (int)written : inode_truncate(file, 100);
    if (error == 0 && inode_write(file, 1UL << 33, "far", 3) != 3)
        error = -ENOSPC;
    inode_put(file);
    if (error == 0)
        error = tree_link(&tree, "/d/f", "/g", 0);
    if (error == 0)
        error = tree_symlink(&tree, "d/f", "/s");
    if (error == 0)
        error = tree_seed(&tree, "/seed", 0644, 1, 2 * PAGE_BYTES);
    char byte;
    if (error == 0 && inode_read(at("/seed"), 5000, &byte, 1) != 1)
        error = -ENOSPC;
    if (error == 0)
        error = tree_rename(&tree, "/d/f", "/moved");
    return error < 0 ? error : tree_rename(&tree, "/d", "/e");
}

static void test_failing(void)
{
    uint64_t calls;

    begin();
    EXPECT(run_all() == 0);
    calls = fs_test_memory.calls;
    end();
    for (uint64_t fail_at = 2; fail_at < calls; fail_at++) {
        begin();
        fs_test_memory.fail_at = fail_at;
        /* A write that is cut short goes on, and then nothing else fails. */
        const int error = run_all();
        EXPECT(fs_test_memory.failed && (error == -ENOSPC || error == 0));
        EXPECT(tmpfs_check(&fs));
        end();
    }
}

static const struct test_row rows[] = {
    {"paths", "a path is walked part by part, whatever its slashes and dots", test_paths},
    {"symlinks", "symbolic links are followed where they should be", test_symlinks},
    {"chain", "a chain of 40 links is followed, one of 41 is not", test_chain},
    {"open", "open makes, empties and refuses as its flags say", test_open},
    {"removed_directory", "an open directory outlives its name", test_removed_directory},
    {"resolve", "a path is told without links", test_resolve},
    {"rename", "rename replaces what goes together", test_rename},
    {"content", "content is kept by page, with zeros where nothing was written", test_content},
    {"seed", "a seeded file is loaded when it is first needed", test_seeded},
    {"numbers", "numbers of inodes are used again", test_numbers},
    {"links_max", "an inode has a bounded number of names", test_links_max},
    {"failing", "an allocation that fails is an error and leaves no damage", test_failing},
};

TEST_MAIN("tmpfs", rows)
