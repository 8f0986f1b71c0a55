/* SPDX-License-Identifier: MIT */
/*
 * Files on a disk. `disk_files write` makes some and ends when they are safe; `disk_files verify`, on a machine that was
 * started later, finds them. tests/disk/test_reboot.py is between the two.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define FOLDER         "/home/test"
#define LARGE_BYTES    (3u << 20)
#define PART           65536u
#define FAR            (1UL << 30)
#define MAPPED         20000u
#define SMALL_COUNT    200u
#define PROGRAM_STATUS 7
#define FILL_BYTES     (512UL << 20)

static char part[PART];

/* What the large file holds at a place. */
static char content_at(size_t place)
{
    return (char)(place * 7 + place / 4093);
}

static bool put(const char *path, const char *text)
{
    const int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0640);
    const bool done = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);

    return file >= 0 && close(file) == 0 && done;
}

static bool holds(const char *path, const char *text)
{
    char found[256];
    const int file = open(path, O_RDONLY);
    const ssize_t got = file < 0 ? -1 : read(file, found, sizeof(found));

    if (file >= 0)
        (void)close(file);
    return got == (ssize_t)strlen(text) && memcmp(found, text, strlen(text)) == 0;
}

/* --- Writing --- */

static bool write_large(void)
{
    const int file = open(FOLDER "/large", O_CREAT | O_WRONLY, 0600);
    bool done = file >= 0;

    for (size_t place = 0; done && place < LARGE_BYTES; place += PART) {
        for (size_t i = 0; i < PART; i++)
            part[i] = content_at(place + i);
        done = write(file, part, PART) == PART;
    }
    return done && fsync(file) == 0 && close(file) == 0;
}

static bool write_mapped(void)
{
    const int file = open(FOLDER "/mapped", O_CREAT | O_RDWR, 0600);
    char *memory = MAP_FAILED;

    if (file >= 0 && ftruncate(file, MAPPED) == 0)
        memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return false;
    for (size_t i = 0; i < MAPPED; i++)
        memory[i] = content_at(i);
    return msync(memory, MAPPED, MS_SYNC) == 0 && munmap(memory, MAPPED) == 0 && close(file) == 0;
}

static bool write_sparse(void)
{
    const int file = open(FOLDER "/sparse", O_CREAT | O_WRONLY, 0600);

    return file >= 0 && pwrite(file, "far", 3, FAR) == 3 && close(file) == 0;
}

static bool write_small(void)
{
    char path[64], text[16];
    bool done = mkdir(FOLDER "/small", 0755) == 0;

    for (unsigned i = 0; done && i < SMALL_COUNT; i++) {
        snprintf(path, sizeof(path), FOLDER "/small/a-name-that-takes-room-%u", i);
        snprintf(text, sizeof(text), "%u", i);
        done = put(path, text);
    }
    /* Every third one goes again. */
    for (unsigned i = 0; done && i < SMALL_COUNT; i += 3) {
        snprintf(path, sizeof(path), FOLDER "/small/a-name-that-takes-room-%u", i);
        done = unlink(path) == 0;
    }
    return done;
}

static void write_names(void)
{
    tap_ok(put(FOLDER "/first", "first") && rename(FOLDER "/first", FOLDER "/second") == 0, "a file is renamed");
    tap_ok(link(FOLDER "/second", FOLDER "/hard") == 0, "it has another name");
    tap_ok(symlink("second", FOLDER "/soft") == 0, "a symbolic link leads to it");
    tap_ok(chmod(FOLDER "/second", 0604) == 0 && chown(FOLDER "/second", 12, 34) == 0, "mode and owner are set");
    tap_ok(put(FOLDER "/gone", "gone") && unlink(FOLDER "/gone") == 0, "a file is removed");
    const int open_one = open(FOLDER "/open", O_CREAT | O_RDWR, 0600);
    tap_ok(write(open_one, "still", 5) == 5 && unlink(FOLDER "/open") == 0, "an open file loses its name");
    char found[5];
    tap_ok(pread(open_one, found, 5, 0) == 5 && memcmp(found, "still", 5) == 0, "and is there as long as it is open");
    /* It stays open when the machine ends. */
}

/* A program on the disk: this one. */
static bool write_program(void)
{
    const int from = open("/tests/disk_files", O_RDONLY), to = open(FOLDER "/program", O_CREAT | O_WRONLY, 0755);
    bool done = from >= 0 && to >= 0;
    ssize_t got = 0;

    while (done && (got = read(from, part, PART)) > 0)
        done = write(to, part, (size_t)got) == got;
    return done && got == 0 && close(from) == 0 && close(to) == 0;
}

static size_t times_in_root(const char *name)
{
    DIR *root = opendir("/");
    size_t count = 0;

    for (const struct dirent *entry = readdir(root); entry; entry = readdir(root))
        count += strcmp(entry->d_name, name) == 0;
    (void)closedir(root);
    return count;
}

static void look_at_tree(void)
{
    struct stat disk, memory;
    struct statvfs volume;

    tap_ok(times_in_root("home") == 1 && times_in_root("lost+found") == 1, "the disk's directories are in the root");
    tap_ok(times_in_root("bin") == 1 && times_in_root("tmp") == 1, "the archive's are, too, and once");
    tap_ok(stat("/home", &disk) == 0 && stat("/tmp", &memory) == 0 && disk.st_dev != memory.st_dev,
           "they are of two file systems");
    tap_ok(access("/bin/shell", X_OK) == 0 && chdir("/tmp/..") == 0 && access("home", F_OK) == 0,
           "what is above /tmp is the root of all");
    tap_ok(statvfs("/home", &volume) == 0 && volume.f_blocks * volume.f_frsize > 1 << 20 && volume.f_bfree > 0,
           "the disk tells how full it is");
    tap_ok(rename("/home", "/tmp/home") == -1 && errno == EXDEV, "nothing is renamed from one to the other");
    tap_ok(rmdir("/tmp") == -1 && errno == EBUSY, "what covers cannot be removed");
    tap_ok(put("/tmp/memory", "x") && link("/tmp/memory", "/memory") == -1 && errno == EXDEV,
           "nor does a link lead there");
}

static int run_write(void)
{
    tap_plan(22);
    look_at_tree();
    tap_ok(mkdir(FOLDER, 0755) == 0, "a directory is made");
    write_names();
    tap_ok(write_large(), "a large file is written");
    tap_ok(write_mapped(), "a file is written by way of a mapping");
    tap_ok(write_sparse(), "a file with a hole is written");
    tap_ok(write_small(), "many small files are");
    tap_ok(write_program(), "a program is copied to the disk");
    /* Nobody asks for these: they are written in time. */
    sync();
    tap_ok(put(FOLDER "/late", "late") && sleep(7) == 0, "a last one is left to itself");
    return tap_done();
}

/* --- Verifying --- */

static bool verify_large(void)
{
    const int file = open(FOLDER "/large", O_RDONLY);
    bool good = file >= 0 && lseek(file, 0, SEEK_END) == LARGE_BYTES && lseek(file, 0, SEEK_SET) == 0;

    for (size_t place = 0; good && place < LARGE_BYTES; place += PART) {
        good = read(file, part, PART) == PART;
        for (size_t i = 0; good && i < PART; i++)
            good = part[i] == content_at(place + i);
    }
    return good && close(file) == 0;
}

static bool verify_mapped(void)
{
    const int file = open(FOLDER "/mapped", O_RDONLY);
    const char *memory = mmap(NULL, MAPPED, PROT_READ, MAP_PRIVATE, file, 0);
    bool good = memory != MAP_FAILED;

    for (size_t i = 0; good && i < MAPPED; i++)
        good = memory[i] == content_at(i);
    return good && close(file) == 0;
}

static bool verify_sparse(void)
{
    const int file = open(FOLDER "/sparse", O_RDONLY);
    struct stat status;
    char found[8] = "xxxxxxx";

    return file >= 0 && fstat(file, &status) == 0 && status.st_size == (off_t)FAR + 3 && status.st_blocks < 100 &&
           pread(file, found, 4, 12345) == 4 && memcmp(found, "\0\0\0", 4) == 0 && pread(file, found, 8, FAR) == 3 &&
           memcmp(found, "far", 3) == 0 && close(file) == 0;
}

static bool verify_small(void)
{
    char path[64], text[16];
    bool good = true;

    for (unsigned i = 0; good && i < SMALL_COUNT; i++) {
        snprintf(path, sizeof(path), FOLDER "/small/a-name-that-takes-room-%u", i);
        snprintf(text, sizeof(text), "%u", i);
        good = i % 3 == 0 ? access(path, F_OK) == -1 : holds(path, text);
    }
    return good;
}

static bool run_program(void)
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        execl(FOLDER "/program", "program", "end", NULL);
        _exit(1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == PROGRAM_STATUS;
}

/* Writes until there is no room. */
static void fill(void)
{
    const int file = open(FOLDER "/fill", O_CREAT | O_WRONLY, 0600);
    size_t written = 0;
    ssize_t got;

    while ((got = write(file, part, PART)) > 0 && written < FILL_BYTES)
        written += (size_t)got;
    tap_ok(got == -1 && errno == ENOSPC && written > 0, "a full disk says so");
    tap_equal(fsync(file), 0, "what is there is written");
    tap_ok(put(FOLDER "/second", "") && close(file) == 0 && unlink(FOLDER "/fill") == 0, "files can be removed");
    tap_ok(put(FOLDER "/again", "again") && holds(FOLDER "/again", "again"), "and there is room again");
}

static int run_verify(void)
{
    struct stat status;
    char target[16];

    tap_plan(16);
    tap_ok(holds(FOLDER "/second", "first") && holds(FOLDER "/hard", "first"), "the file is there by both names");
    tap_ok(stat(FOLDER "/second", &status) == 0 && status.st_mode == (S_IFREG | 0604) && status.st_nlink == 2 &&
               status.st_uid == 12 && status.st_gid == 34,
           "with its mode and owner");
    tap_ok(readlink(FOLDER "/soft", target, sizeof(target)) == 6 && holds(FOLDER "/soft", "first"), "by the link, too");
    tap_ok(access(FOLDER "/gone", F_OK) == -1 && access(FOLDER "/first", F_OK) == -1, "old names are gone");
    tap_ok(access(FOLDER "/open", F_OK) == -1, "so is the file that was open");
    tap_ok(verify_large(), "the large file is as it was written");
    tap_ok(verify_mapped(), "so is the one that was mapped");
    tap_ok(verify_sparse(), "so is the one with a hole");
    tap_ok(verify_small(), "so are the small ones");
    tap_ok(holds(FOLDER "/late", "late"), "so is the one that nobody asked for");
    tap_ok(run_program(), "the program runs");
    fill();
    tap_ok(rename(FOLDER "/again", FOLDER "/small/again") == 0, "a file moves between directories");
    sync();
    return tap_done();
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "write") == 0)
        return run_write();
    if (count == 2 && strcmp(arguments[1], "verify") == 0)
        return run_verify();
    if (count == 2 && strcmp(arguments[1], "end") == 0)
        return PROGRAM_STATUS;
    fprintf(stderr, "Usage: disk_files write|verify\n");
    return EXIT_FAILURE;
}
