/* SPDX-License-Identifier: MIT */
/*
 * The tmpfs in rows: paths, links, what an error leaves behind, and memory that fails at every place in turn.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../servers/fs/tmpfs.h"
#include "fs_memory.h"
#include "harness.h"

#define PAGE_BYTES 4096u

static struct tmpfs fs;
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
    const int error = tmpfs_open(&fs, path, OPEN_CREATE, 0644, &inode);

    if (error == 0)
        inode_put(&fs, inode);
    return error;
}

static struct inode *at(const char *path)
{
    struct inode *inode;
    return tmpfs_find(&fs, path, 0, &inode) == 0 ? inode : NULL;
}

static void test_paths(void)
{
    struct inode *inode;
    char path[TMPFS_PATH_BYTES + 1];

    begin();
    EXPECT(tmpfs_mkdir(&fs, "/d", 0755) == 0 && touch("/d/f") == 0);
    EXPECT(at("/") == fs.root && at("///") == fs.root && at("/.") == fs.root && at("/../..") == fs.root);
    EXPECT(at("/d/") == at("/d") && at("//d//.//..//d/./f") == at("/d/f") && at("/d/f"));
    EXPECT(tmpfs_find(&fs, "/d/f/", 0, &inode) == -ENOTDIR);
    EXPECT(tmpfs_find(&fs, "/d/f/.", 0, &inode) == -ENOTDIR);
    EXPECT(tmpfs_find(&fs, "/d/f/x", 0, &inode) == -ENOTDIR);
    EXPECT(tmpfs_find(&fs, "/x/f", 0, &inode) == -ENOENT);
    EXPECT(tmpfs_find(&fs, "", 0, &inode) == -ENOENT);
    EXPECT(tmpfs_find(&fs, "d", 0, &inode) == -EINVAL);
    memset(path, '/', sizeof(path));
    path[TMPFS_PATH_BYTES] = '\0';
    EXPECT(tmpfs_find(&fs, path, 0, &inode) == -ENAMETOOLONG);
    path[TMPFS_PATH_BYTES - 1] = '\0';
    EXPECT(tmpfs_find(&fs, path, 0, &inode) == 0);
    memset(path + 1, 'n', TMPFS_NAME_MAX + 1);
    EXPECT(tmpfs_mkdir(&fs, path, 0755) == -ENAMETOOLONG);
    path[TMPFS_NAME_MAX + 1] = '\0';
    EXPECT(tmpfs_mkdir(&fs, path, 0755) == 0 && at(path));
    EXPECT(tmpfs_mkdir(&fs, "/..", 0755) == -EEXIST && tmpfs_mkdir(&fs, "/.", 0755) == -EEXIST);
    end();
}

static void test_symlinks(void)
{
    struct inode *inode;
    char target[8], long_target[TMPFS_PATH_BYTES + 1];

    begin();
    EXPECT(tmpfs_mkdir(&fs, "/d", 0755) == 0 && tmpfs_mkdir(&fs, "/d/e", 0755) == 0 && touch("/d/e/f") == 0);
    EXPECT(tmpfs_symlink(&fs, "d/e", "/to-e") == 0 && tmpfs_symlink(&fs, "../to-e/f", "/d/to-f") == 0);
    EXPECT(tmpfs_symlink(&fs, "/", "/to-root") == 0 && tmpfs_symlink(&fs, "d/", "/to-d") == 0);
    EXPECT(at("/to-e/f") == at("/d/e/f") && at("/to-e/../to-f") == at("/d/to-f"));
    EXPECT(tmpfs_find(&fs, "/to-root/d/to-f", WALK_FOLLOW, &inode) == 0 && inode == at("/d/e/f"));
    EXPECT(inode_is(at("/to-e"), MODE_SYMLINK) && inode_is(at("/to-e/"), MODE_DIRECTORY));
    EXPECT(tmpfs_find(&fs, "/to-root", WALK_FOLLOW, &inode) == 0 && inode == fs.root);
    EXPECT(tmpfs_find(&fs, "/to-d", WALK_FOLLOW, &inode) == 0 && inode == at("/d"));
    EXPECT(tmpfs_find(&fs, "/d/to-f/", WALK_FOLLOW, &inode) == -ENOTDIR);
    EXPECT(tmpfs_readlink(&fs, "/to-e", target, sizeof(target)) == 3 && memcmp(target, "d/e", 3) == 0);
    EXPECT(tmpfs_readlink(&fs, "/to-e", target, 1) == 1 && tmpfs_readlink(&fs, "/d", target, 8) == -EINVAL);
    EXPECT(tmpfs_symlink(&fs, "", "/x") == -ENOENT && tmpfs_symlink(&fs, "x", "/to-e") == -EEXIST);
    EXPECT(tmpfs_symlink(&fs, "x", "/x/") == -ENOENT);
    EXPECT(tmpfs_symlink(&fs, "self", "/self") == 0 && tmpfs_find(&fs, "/self", WALK_FOLLOW, &inode) == -ELOOP);
    EXPECT(tmpfs_symlink(&fs, "/nowhere", "/dangling") == 0);
    EXPECT(tmpfs_mkdir(&fs, "/dangling", 0755) == -EEXIST && touch("/dangling") == 0 && at("/nowhere"));
    memset(long_target, 'x', sizeof(long_target));
    long_target[TMPFS_PATH_BYTES] = '\0';
    EXPECT(tmpfs_symlink(&fs, long_target, "/x") == -ENAMETOOLONG);
    long_target[TMPFS_PATH_BYTES - 1] = '\0';
    EXPECT(tmpfs_symlink(&fs, long_target, "/x") == 0);
    EXPECT(tmpfs_find(&fs, "/x/more", 0, &inode) == -ENAMETOOLONG);
    EXPECT(tmpfs_unlink(&fs, "/to-e") == 0 && at("/d/e"));
    end();
}

static void test_chain(void)
{
    struct inode *inode;
    char name[16], target[16];

    begin();
    EXPECT(touch("/link0") == 0);
    for (unsigned i = 1; i <= TMPFS_LINKS_MAX + 1; i++) {
        snprintf(name, sizeof(name), "/link%u", i);
        snprintf(target, sizeof(target), "link%u", i - 1);
        EXPECT(tmpfs_symlink(&fs, target, name) == 0);
    }
    EXPECT(tmpfs_find(&fs, name, WALK_FOLLOW, &inode) == -ELOOP);
    snprintf(name, sizeof(name), "/link%u", TMPFS_LINKS_MAX);
    EXPECT(tmpfs_find(&fs, name, WALK_FOLLOW, &inode) == 0 && inode == at("/link0"));
    end();
}

static void test_open(void)
{
    struct inode *one, *other;

    begin();
    EXPECT(tmpfs_open(&fs, "/f", 0, 0, &one) == -ENOENT);
    EXPECT(tmpfs_open(&fs, "/f", OPEN_CREATE | OPEN_EXCLUSIVE, 01755, &one) == 0 && one->mode == (MODE_FILE | 01755));
    EXPECT(tmpfs_open(&fs, "/f", OPEN_CREATE | OPEN_EXCLUSIVE, 0, &other) == -EEXIST);
    EXPECT(inode_write(&fs, one, 0, "content", 7) == 7);
    EXPECT(tmpfs_open(&fs, "/f", OPEN_DIRECTORY, 0, &other) == -ENOTDIR);
    EXPECT(tmpfs_open(&fs, "/", OPEN_WRITE, 0, &other) == -EISDIR);
    EXPECT(tmpfs_open(&fs, "/", OPEN_CREATE, 0, &other) == -EISDIR);
    EXPECT(tmpfs_open(&fs, "/new/", OPEN_CREATE, 0, &other) == -EISDIR && !at("/new"));
    EXPECT(tmpfs_symlink(&fs, "f", "/s") == 0 && tmpfs_open(&fs, "/s", OPEN_NOFOLLOW, 0, &other) == -ELOOP);
    EXPECT(tmpfs_open(&fs, "/s", OPEN_CREATE | OPEN_EXCLUSIVE, 0, &other) == -EEXIST);
    EXPECT(tmpfs_open(&fs, "/s", OPEN_TRUNCATE, 0, &other) == 0 && other == one && one->size == 0);
    inode_put(&fs, other);
    EXPECT(tmpfs_unlink(&fs, "/f") == 0 && one->links == 0 && inode_write(&fs, one, 0, "x", 1) == 1);
    EXPECT(fs.inodes == 3);
    inode_put(&fs, one);
    EXPECT(fs.inodes == 2);
    end();
}

static void test_removed_directory(void)
{
    struct inode *directory;
    char path[16];

    begin();
    EXPECT(tmpfs_mkdir(&fs, "/d", 0755) == 0 && tmpfs_open(&fs, "/d", OPEN_DIRECTORY, 0, &directory) == 0);
    EXPECT(tmpfs_directory_path(&fs, directory, path, sizeof(path)) == 0 && strcmp(path, "/d") == 0);
    EXPECT(tmpfs_directory_path(&fs, directory, path, 2) == -ERANGE);
    EXPECT(tmpfs_rmdir(&fs, "/d") == 0 && directory->links == 0);
    EXPECT(tmpfs_directory_path(&fs, directory, path, sizeof(path)) == -ENOENT);
    EXPECT(!tmpfs_entry_from(directory, 2));
    inode_put(&fs, directory);
    end();
}

static void test_resolve(void)
{
    char path[32];

    begin();
    EXPECT(tmpfs_mkdir(&fs, "/d", 0755) == 0 && touch("/d/f") == 0 && tmpfs_symlink(&fs, "d", "/s") == 0);
    EXPECT(tmpfs_symlink(&fs, "s/f", "/t") == 0);
    EXPECT(tmpfs_resolve(&fs, "/t", path, sizeof(path)) == 0 && strcmp(path, "/d/f") == 0);
    EXPECT(tmpfs_resolve(&fs, "/s/../s/.", path, sizeof(path)) == 0 && strcmp(path, "/d") == 0);
    EXPECT(tmpfs_resolve(&fs, "/s/..", path, sizeof(path)) == 0 && strcmp(path, "/") == 0);
    EXPECT(tmpfs_resolve(&fs, "/t", path, 4) == -ERANGE && tmpfs_resolve(&fs, "/t", path, 5) == 0);
    EXPECT(tmpfs_resolve(&fs, "/none", path, sizeof(path)) == -ENOENT);
    end();
}

static void test_rename(void)
{
    struct inode *file;

    begin();
    EXPECT(tmpfs_mkdir(&fs, "/a", 0755) == 0 && tmpfs_mkdir(&fs, "/b", 0755) == 0 && touch("/a/f") == 0);
    EXPECT(tmpfs_mkdir(&fs, "/a/c", 0755) == 0 && touch("/b/g") == 0);
    file = at("/a/f");
    EXPECT(tmpfs_rename(&fs, "/a/f", "/b/g") == 0 && at("/b/g") == file && !at("/a/f"));
    EXPECT(tmpfs_rename(&fs, "/a", "/a/c/x") == -EINVAL && tmpfs_rename(&fs, "/a", "/a") == 0);
    EXPECT(tmpfs_rename(&fs, "/a", "/b") == -ENOTEMPTY && tmpfs_rename(&fs, "/a/c", "/a") == -ENOTEMPTY);
    EXPECT(tmpfs_rename(&fs, "/", "/x") == -EBUSY && tmpfs_rename(&fs, "/a", "/") == -EBUSY);
    EXPECT(tmpfs_rename(&fs, "/a/.", "/x") == -EINVAL && tmpfs_rename(&fs, "/a/c/..", "/x") == -EINVAL);
    EXPECT(tmpfs_rename(&fs, "/b/g", "/x/") == -ENOTDIR && tmpfs_rename(&fs, "/b/g/", "/x") == -ENOTDIR);
    EXPECT(tmpfs_rename(&fs, "/b/g", "/a") == -EISDIR && tmpfs_rename(&fs, "/a", "/b/g") == -ENOTDIR);
    EXPECT(tmpfs_rename(&fs, "/a/c", "/b/c/") == 0 && at("/b/c")->parent == at("/b"));
    EXPECT(at("/a")->links == 2 && at("/b")->links == 3 && at("/b/c/..") == at("/b"));
    EXPECT(tmpfs_rename(&fs, "/b/c", "/a") == 0 && at("/a") && !at("/b/c") && at("/b")->links == 2);
    EXPECT(tmpfs_link(&fs, "/b/g", "/b/h", 0) == 0 && tmpfs_rename(&fs, "/b/g", "/b/h") == 0 && at("/b/g"));
    end();
}

static void test_content(void)
{
    char page[PAGE_BYTES], read[PAGE_BYTES];
    struct inode *file;

    begin();
    memset(page, 'x', sizeof(page));
    EXPECT(tmpfs_open(&fs, "/f", OPEN_CREATE, 0, &file) == 0);
    EXPECT(inode_write(&fs, file, 1UL << 30, "y", 1) == 1 && file->size == (1UL << 30) + 1);
    EXPECT(inode_stored(file) == PAGE_BYTES && inode_read(&fs, file, 12345, read, 10) == 10 && read[0] == 0);
    EXPECT(inode_write(&fs, file, PAGE_BYTES - 10, page, PAGE_BYTES) == PAGE_BYTES);
    EXPECT(inode_truncate(&fs, file, PAGE_BYTES) == 0 && inode_stored(file) == PAGE_BYTES);
    EXPECT(inode_truncate(&fs, file, PAGE_BYTES - 5) == 0 && inode_truncate(&fs, file, 2 * PAGE_BYTES) == 0);
    EXPECT(inode_read(&fs, file, PAGE_BYTES - 10, read, 20) == 20);
    EXPECT(memcmp(read, "xxxxx\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) == 0);
    EXPECT(inode_read(&fs, file, 2 * PAGE_BYTES, read, 1) == 0 && inode_read(&fs, file, UINT64_MAX, read, 1) == 0);
    EXPECT(inode_write(&fs, file, STORAGE_BYTES_MAX, "x", 1) == -EFBIG);
    EXPECT(inode_write(&fs, file, STORAGE_BYTES_MAX - 1, "xy", 2) == 1);
    EXPECT(inode_truncate(&fs, file, STORAGE_BYTES_MAX + 1) == -EFBIG && inode_truncate(&fs, fs.root, 0) == -EINVAL);
    inode_put(&fs, file);
    end();
}

static void test_seeded(void)
{
    uint8_t bytes[16];
    struct inode *file;

    begin();
    EXPECT(tmpfs_seed(&fs, "/f", 0755, 5, 10000) == 0 && tmpfs_seed(&fs, "/bad", 0755, 666, 10) == 0);
    EXPECT(tmpfs_open(&fs, "/f", 0, 0, &file) == 0 && file->size == 10000 && fs_test_memory.pages == 0);
    EXPECT(inode_read(&fs, file, 9000, bytes, 16) == 16 && bytes[0] == (uint8_t)9005 && fs_test_memory.pages == 4);
    EXPECT(inode_read(&fs, at("/bad"), 0, bytes, 1) == -EIO && inode_write(&fs, at("/bad"), 0, "x", 1) == -EIO);
    EXPECT(inode_truncate(&fs, at("/bad"), 5) == -EIO && inode_truncate(&fs, at("/bad"), 0) == 0);
    EXPECT(inode_write(&fs, at("/bad"), 0, "x", 1) == 1);
    EXPECT(tmpfs_seed(&fs, "/cut", 0755, 7, 10000) == 0 && inode_truncate(&fs, at("/cut"), 1) == 0);
    EXPECT(inode_read(&fs, at("/cut"), 0, bytes, 16) == 1 && bytes[0] == 7);
    inode_put(&fs, file);
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
    EXPECT(tmpfs_unlink(&fs, "/0") == 0 && touch("/again") == 0 && at("/again")->number == first);
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
        EXPECT(tmpfs_link(&fs, "/0", name, 0) == 0);
    }
    EXPECT(tmpfs_link(&fs, "/0", "/more", 0) == -EMLINK);
    EXPECT(tmpfs_unlink(&fs, "/5") == 0 && tmpfs_link(&fs, "/0", "/more", 0) == 0);
    end();
}

/* One of each operation, in an order in which all work if there is memory; the first error, if any. */
static int run_all(void)
{
    static const char content[3 * PAGE_BYTES] = "content";
    struct inode *file = NULL;

    int error = tmpfs_mkdir(&fs, "/d", 0755);
    if (error == 0)
        error = tmpfs_open(&fs, "/d/f", OPEN_CREATE, 0644, &file);
    if (error < 0)
        return error;
    long written = 0;
    while (written >= 0 && (size_t)written < sizeof(content)) {
        const long part =
            inode_write(&fs, file, (uint64_t)written, content + written, sizeof(content) - (size_t)written);
        written = part < 0 ? part : written + part;
    }
    error = written < 0 ? (int)written : inode_truncate(&fs, file, 100);
    if (error == 0 && inode_write(&fs, file, 1UL << 33, "far", 3) != 3)
        error = -ENOSPC;
    inode_put(&fs, file);
    if (error == 0)
        error = tmpfs_link(&fs, "/d/f", "/g", 0);
    if (error == 0)
        error = tmpfs_symlink(&fs, "d/f", "/s");
    if (error == 0)
        error = tmpfs_seed(&fs, "/seed", 0644, 1, 2 * PAGE_BYTES);
    char byte;
    if (error == 0 && inode_read(&fs, at("/seed"), 5000, &byte, 1) != 1)
        error = -ENOSPC;
    if (error == 0)
        error = tmpfs_rename(&fs, "/d/f", "/moved");
    return error < 0 ? error : tmpfs_rename(&fs, "/d", "/e");
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
