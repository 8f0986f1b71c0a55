/* SPDX-License-Identifier: MIT */
/*
 * Directories, links, names: what POSIX says of each, and the errors.
 */
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 500

static void refused(long result, int wanted, const char *what)
{
    const int found = errno;
    tap_ok(result == -1 && found == wanted, "%s gives %s", what, strerror(wanted));
    if (result != -1 || found != wanted)
        tap_diag("result %ld, errno %d (%s)", result, found, strerror(found));
}

static void touch(const char *path)
{
    const int file = open(path, O_WRONLY | O_CREAT, 0644);
    if (file < 0 || write(file, path, strlen(path)) < 0)
        tap_diag("%s: %s", path, strerror(errno));
    close(file);
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static long links_of(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? (long)status.st_nlink : -1;
}

/* Entries of a directory without "." and ".."; -1 if a name comes twice. */
static int count_entries(const char *path)
{
    static char seen[MANY + 10][NAME_MAX + 1];
    const struct dirent *entry;
    int count = 0;
    DIR *directory = opendir(path);

    while (directory && (entry = readdir(directory)) != NULL && count < MANY + 10) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        for (int i = 0; i < count; i++)
            if (strcmp(seen[i], entry->d_name) == 0)
                return -1;
        strcpy(seen[count++], entry->d_name);
    }
    if (directory)
        closedir(directory);
    return count;
}

static void test_mkdir(void)
{
    struct stat status;

    tap_ok(mkdir("/tmp/d", 0750) == 0 && stat("/tmp/d", &status) == 0 && S_ISDIR(status.st_mode) &&
               (status.st_mode & 07777) == 0750,
           "mkdir makes a directory");
    refused(mkdir("/tmp/d", 0755), EEXIST, "mkdir of what is there");
    refused(mkdir("/tmp/none/d", 0755), ENOENT, "mkdir below nothing");
    touch("/tmp/d/file");
    refused(mkdir("/tmp/d/file/d", 0755), ENOTDIR, "mkdir below a file");
    tap_equal(links_of("/tmp/d"), 2, "a directory has two links");
    tap_ok(mkdir("/tmp/d/sub/", 0755) == 0 && links_of("/tmp/d") == 3, "and one more for each in it");
    refused(rmdir("/tmp/d"), ENOTEMPTY, "rmdir of one that is not empty");
    refused(rmdir("/tmp/d/file"), ENOTDIR, "rmdir of a file");
    refused(rmdir("/tmp/d/sub/."), EINVAL, "rmdir of .");
    refused(rmdir("/tmp/d/sub/.."), ENOTEMPTY, "rmdir of ..");
    refused(rmdir("/"), EBUSY, "rmdir of the root");
    refused(unlink("/tmp/d/sub"), EISDIR, "unlink of a directory");
    tap_ok(rmdir("/tmp/d/sub") == 0 && links_of("/tmp/d") == 2, "rmdir removes an empty one");
    tap_ok(unlink("/tmp/d/file") == 0 && remove("/tmp/d") == 0, "remove removes both kinds");
    char long_name[300], long_path[PATH_MAX + 10];
    memset(long_name, 'n', sizeof(long_name));
    memcpy(long_name, "/tmp/", 5);
    long_name[5 + NAME_MAX + 1] = '\0';
    refused(mkdir(long_name, 0755), ENAMETOOLONG, "a name of 256 bytes");
    long_name[5 + NAME_MAX] = '\0';
    tap_ok(mkdir(long_name, 0755) == 0 && rmdir(long_name) == 0, "one of 255 can be");
    memset(long_path, '/', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    refused(mkdir(long_path, 0755), ENAMETOOLONG, "a path that is too long");
}

static void test_working_directory(void)
{
    char path[PATH_MAX];

    mkdir("/tmp/w", 0755);
    symlink("w", "/tmp/to-w");
    tap_ok(getcwd(path, sizeof(path)) && strcmp(path, "/") == 0, "a program begins in the root");
    tap_ok(chdir("/tmp/to-w") == 0 && getcwd(path, sizeof(path)) && strcmp(path, "/tmp/w") == 0,
           "chdir goes elsewhere, and getcwd tells where without links");
    touch("file");
    tap_ok(is_there("/tmp/w/file") && is_there("./file") && is_there("../w/file"), "relative paths begin there");
    refused(chdir("file"), ENOTDIR, "chdir to a file");
    refused(chdir("none"), ENOENT, "chdir to nothing");
    tap_ok(getcwd(path, 3) == NULL && errno == ERANGE, "getcwd without room gives ERANGE");
    tap_ok(realpath("../to-w/./file", path) && strcmp(path, "/tmp/w/file") == 0, "realpath follows links");
    tap_ok(realpath("none", path) == NULL && errno == ENOENT, "realpath of nothing gives ENOENT");
    const int directory = open("/tmp/w", O_RDONLY | O_DIRECTORY);
    const int file = openat(directory, "file", O_RDONLY);
    tap_ok(file >= 0, "openat begins at a directory");
    refused(openat(file, "x", O_RDONLY), ENOTDIR, "openat at a file");
    refused(openat(200, "x", O_RDONLY), EBADF, "openat at nothing");
    tap_ok(chdir("/") == 0 && fchdir(directory) == 0 && is_there("file"), "fchdir goes to an open directory");
    close(file);
    close(directory);
    chdir("/");
    unlink("/tmp/w/file");
}

static void test_links(void)
{
    char target[PATH_MAX];
    struct stat one, other;

    touch("/tmp/one");
    tap_ok(link("/tmp/one", "/tmp/two") == 0 && links_of("/tmp/one") == 2, "link gives a file another name");
    tap_ok(stat("/tmp/one", &one) == 0 && stat("/tmp/two", &other) == 0 && one.st_ino == other.st_ino,
           "of the same file");
    refused(link("/tmp/one", "/tmp/two"), EEXIST, "link to a name that is there");
    refused(link("/tmp", "/tmp/three"), EPERM, "link of a directory");
    refused(link("/tmp/none", "/tmp/three"), ENOENT, "link of nothing");
    tap_ok(unlink("/tmp/one") == 0 && links_of("/tmp/two") == 1, "unlink takes one name away");
    const int file = open("/tmp/two", O_RDWR);
    tap_ok(unlink("/tmp/two") == 0 && fstat(file, &one) == 0 && one.st_nlink == 0, "or the last one");
    tap_ok(pread(file, target, 8, 0) == 8 && memcmp(target, "/tmp/one", 8) == 0, "and the file stays while it is open");
    close(file);

    touch("/tmp/file");
    tap_ok(symlink("file", "/tmp/soft") == 0 && readlink("/tmp/soft", target, sizeof(target)) == 4 &&
               memcmp(target, "file", 4) == 0,
           "a symbolic link tells its target");
    tap_ok(lstat("/tmp/soft", &one) == 0 && S_ISLNK(one.st_mode) && one.st_size == 4, "lstat looks at it");
    tap_ok(stat("/tmp/soft", &one) == 0 && S_ISREG(one.st_mode), "stat looks behind it");
    refused(readlink("/tmp/file", target, sizeof(target)), EINVAL, "readlink of a file");
    refused(open("/tmp/soft", O_RDONLY | O_NOFOLLOW), ELOOP, "open with O_NOFOLLOW");
    refused(open("/tmp/soft", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST, "open with O_EXCL");
    symlink("loop2", "/tmp/loop1");
    symlink("loop1", "/tmp/loop2");
    refused(open("/tmp/loop1", O_RDONLY), ELOOP, "open of a link to itself");
    symlink("/tmp/later", "/tmp/dangling");
    refused(open("/tmp/dangling", O_RDONLY), ENOENT, "open of a link to nothing");
    touch("/tmp/dangling");
    tap_ok(is_there("/tmp/later"), "which makes the file that it names");
    refused(symlink("", "/tmp/empty"), ENOENT, "a link to an empty path");
    tap_ok(unlink("/tmp/soft") == 0 && is_there("/tmp/file"), "unlink removes the link alone");
}

static void test_rename(void)
{
    struct stat one, other;

    mkdir("/tmp/a", 0755);
    mkdir("/tmp/b", 0755);
    mkdir("/tmp/b/full", 0755);
    touch("/tmp/a/file");
    stat("/tmp/a/file", &one);
    tap_ok(rename("/tmp/a/file", "/tmp/b/moved") == 0 && !is_there("/tmp/a/file") &&
               stat("/tmp/b/moved", &other) == 0 && one.st_ino == other.st_ino,
           "rename moves a file");
    touch("/tmp/a/file");
    tap_ok(rename("/tmp/b/moved", "/tmp/a/file") == 0 && stat("/tmp/a/file", &other) == 0 && one.st_ino == other.st_ino,
           "over another one");
    link("/tmp/a/file", "/tmp/a/same");
    tap_ok(rename("/tmp/a/file", "/tmp/a/same") == 0 && is_there("/tmp/a/file") && is_there("/tmp/a/same"),
           "two names of one file stay");
    refused(rename("/tmp/a/file", "/tmp/b"), EISDIR, "rename of a file over a directory");
    refused(rename("/tmp/b", "/tmp/a/file"), ENOTDIR, "rename of a directory over a file");
    refused(rename("/tmp/a", "/tmp/b"), ENOTEMPTY, "rename over a directory that is not empty");
    refused(rename("/tmp/b", "/tmp/b/full/inner"), EINVAL, "rename of a directory into itself");
    refused(rename("/tmp/none", "/tmp/b/x"), ENOENT, "rename of nothing");
    refused(rename("/tmp/b/.", "/tmp/c"), EINVAL, "rename of .");
    tap_ok(rmdir("/tmp/b/full") == 0 && rename("/tmp/a", "/tmp/b") == 0 && is_there("/tmp/b/file") &&
               !is_there("/tmp/a"),
           "rename moves a directory over an empty one");
    mkdir("/tmp/c", 0755);
    tap_ok(rename("/tmp/b", "/tmp/c/b") == 0 && links_of("/tmp/c") == 3 && is_there("/tmp/c/b/../b/file"),
           "and into another, whose .. it then follows");
    unlink("/tmp/c/b/file");
    unlink("/tmp/c/b/same");
    tap_ok(rmdir("/tmp/c/b") == 0 && rmdir("/tmp/c") == 0, "all can be removed");
}

/* Makes many names, removes some while listing, and lists from a place remembered. */
static void test_many(void)
{
    const struct dirent *entry;
    char name[NAME_MAX + 16];
    int made = 0, removed = 0;

    mkdir("/tmp/many", 0755);
    for (; made < MANY; made++) {
        snprintf(name, sizeof(name), "/tmp/many/name-%d", made);
        touch(name);
    }
    tap_equal(count_entries("/tmp/many"), MANY, "a directory lists every name once");
    DIR *directory = opendir("/tmp/many");
    tap_ok(directory && (entry = readdir(directory)) && strcmp(entry->d_name, ".") == 0 && entry->d_type == DT_DIR &&
               (entry = readdir(directory)) && strcmp(entry->d_name, "..") == 0,
           "after itself and its parent");
    const long place = telldir(directory);
    entry = readdir(directory);
    snprintf(name, sizeof(name), "%s", entry ? entry->d_name : "");
    for (int i = 0; i < 100; i++)
        (void)readdir(directory);
    seekdir(directory, place);
    entry = readdir(directory);
    tap_ok(entry && strcmp(entry->d_name, name) == 0, "seekdir goes back to a place of telldir");
    rewinddir(directory);
    while ((entry = readdir(directory)) != NULL) {
        snprintf(name, sizeof(name), "/tmp/many/%s", entry->d_name);
        if (entry->d_type == DT_REG)
            removed += unlink(name) == 0;
    }
    tap_equal(removed, MANY, "names can be removed while they are listed");
    tap_ok(closedir(directory) == 0 && rmdir("/tmp/many") == 0, "the directory is empty then");
    tap_ok(opendir("/tmp/none") == NULL && errno == ENOENT, "opendir of nothing gives ENOENT");
    touch("/tmp/plain");
    tap_ok(opendir("/tmp/plain") == NULL && errno == ENOTDIR, "opendir of a file gives ENOTDIR");
    struct dirent **list;
    const int count = scandir("/dev", &list, NULL, alphasort);
    tap_ok(count >= 7 && strcmp(list[0]->d_name, ".") == 0 && strcmp(list[2]->d_name, "console") == 0,
           "scandir sorts a directory");
    for (int i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

/* A directory that is removed while it is open. */
static void test_removed(void)
{
    mkdir("/tmp/gone", 0755);
    const int directory = open("/tmp/gone", O_RDONLY);
    rmdir("/tmp/gone");
    refused(openat(directory, "file", O_WRONLY | O_CREAT, 0644), ENOENT, "a file in a directory that is gone");
    DIR *stream = fdopendir(directory);
    int entries = 0;
    while (stream && readdir(stream))
        entries++;
    tap_ok(stream && entries <= 2, "which has no names any more");
    closedir(stream);
}

int main(void)
{
    tap_plan(17 + 12 + 19 + 12 + 8 + 2);
    test_mkdir();
    test_working_directory();
    test_links();
    test_rename();
    test_many();
    test_removed();
    return tap_done();
}
