/* SPDX-License-Identifier: MIT */
/*
 * Commands about files: what the C library offers, in words.
 */
#include "command.h"
#include "split.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 16384

/* Says what went wrong with a file and goes on: the command's other files may be better. */
static void complain(const char *path)
{
    printf("%s: %s\n", path, error_text(-errno));
}

/* The path of `name` in a directory, in a static buffer. NULL, with errno: too long. */
static const char *joined(const char *directory, const char *name)
{
    static char path[PATH_MAX];
    const size_t length = strlen(directory);
    const char *between = length > 0 && directory[length - 1] == '/' ? "" : "/";

    if (snprintf(path, sizeof(path), "%s%s%s", directory, between, name) < (int)sizeof(path))
        return path;
    errno = ENAMETOOLONG;
    return NULL;
}

/* Where a thing goes: to `to`, or, if that is a directory, into it under its own name. */
static const char *destination(char *from, const char *to)
{
    struct stat status;

    if (stat(to, &status) < 0 || !S_ISDIR(status.st_mode))
        return to;
    return joined(to, basename(from));
}

static int command_pwd(int count, char **arguments)
{
    char path[PATH_MAX];

    (void)count, (void)arguments;
    if (!getcwd(path, sizeof(path)))
        return -errno;
    printf("%s\n", path);
    return 0;
}

static int command_cd(int count, char **arguments)
{
    return chdir(count > 1 ? arguments[1] : "/") < 0 ? -errno : 0;
}

static char type_letter(mode_t mode)
{
    if (S_ISDIR(mode))
        return 'd';
    if (S_ISLNK(mode))
        return 'l';
    if (S_ISCHR(mode))
        return 'c';
    return S_ISFIFO(mode) ? 'p' : '-';
}

/* One line of `ls -l`: type and permissions, links, bytes, seconds since the machine's start, name. */
static void print_long(const char *path, const char *name, const struct stat *status)
{
    static const char letters[] = "rwxrwxrwx";
    char target[PATH_MAX];
    char text[sizeof(letters)];

    for (size_t i = 0; i < sizeof(letters) - 1; i++)
        text[i] = status->st_mode >> (sizeof(letters) - 2 - i) & 1 ? letters[i] : '-';
    text[sizeof(text) - 1] = '\0';
    printf("%c%s %3u %10lld %8lld %s", type_letter(status->st_mode), text, (unsigned)status->st_nlink,
           (long long)status->st_size, (long long)status->st_mtime, name);
    const ssize_t length = S_ISLNK(status->st_mode) ? readlink(path, target, sizeof(target)) : -1;
    if (length >= 0)
        printf(" -> %.*s", (int)length, target);
    printf("\n");
}

/* Prints one thing, or what `name` is in a directory. */
static void list_one(const char *path, const char *name, bool in_full)
{
    struct stat status;

    if (!path || lstat(path, &status) < 0)
        complain(name);
    else if (in_full)
        print_long(path, name, &status);
    else
        printf("%s%s\n", name, S_ISDIR(status.st_mode) ? "/" : "");
}

static int list_directory(const char *path, bool in_full)
{
    struct dirent **list;
    const int count = scandir(path, &list, NULL, alphasort);

    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        if (list[i]->d_name[0] != '.')
            list_one(joined(path, list[i]->d_name), list[i]->d_name, in_full);
        free(list[i]);
    }
    free(list);
    return 0;
}

static int command_ls(int count, char **arguments)
{
    const bool in_full = count > 1 && strcmp(arguments[1], "-l") == 0;
    const int first = in_full ? 2 : 1;
    struct stat status;

    if (first == count)
        return list_directory(".", in_full);
    for (int i = first; i < count; i++) {
        if (stat(arguments[i], &status) < 0 || !S_ISDIR(status.st_mode)) {
            list_one(arguments[i], arguments[i], in_full);
            continue;
        }
        if (count - first > 1)
            printf("%s:\n", arguments[i]);
        if (list_directory(arguments[i], in_full) < 0)
            complain(arguments[i]);
    }
    return 0;
}

/* Copies from one open file to another. 0 or a negative errno. */
static int copy_bytes(int from, int to)
{
    static char bytes[COPY_BYTES];

    for (;;) {
        const ssize_t got = read(from, bytes, sizeof(bytes));
        if (got <= 0)
            return got < 0 ? -errno : 0;
        for (ssize_t done = 0; done < got;) {
            const ssize_t written = write(to, bytes + done, (size_t)(got - done));
            if (written < 0)
                return -errno;
            done += written;
        }
    }
}

static int command_cat(int count, char **arguments)
{
    fflush(stdout);
    for (int i = 1; i < count; i++) {
        const int file = open(arguments[i], O_RDONLY);
        const int error = file < 0 ? -errno : copy_bytes(file, STDOUT_FILENO);
        if (error < 0)
            printf("%s: %s\n", arguments[i], error_text(error));
        fflush(stdout);
        if (file >= 0)
            close(file);
    }
    return 0;
}

static int command_cp(int count, char **arguments)
{
    struct stat source, target;

    (void)count;
    const char *to = destination(arguments[1], arguments[2]);
    const int from = open(arguments[1], O_RDONLY);
    if (!to || from < 0 || fstat(from, &source) < 0)
        return -errno;
    int error = S_ISDIR(source.st_mode) ? -EISDIR : 0;
    /* Opening it would empty it. */
    if (error == 0 && stat(to, &target) == 0 && source.st_dev == target.st_dev && source.st_ino == target.st_ino)
        error = -EEXIST;
    const int copy = error < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC, source.st_mode & 0777);
    if (error == 0)
        error = copy < 0 ? -errno : copy_bytes(from, copy);
    if (copy >= 0)
        close(copy);
    close(from);
    return error;
}

static int command_mv(int count, char **arguments)
{
    (void)count;
    const char *to = destination(arguments[1], arguments[2]);
    return !to || rename(arguments[1], to) < 0 ? -errno : 0;
}

static int command_rm(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (unlink(arguments[i]) < 0)
            complain(arguments[i]);
    return 0;
}

static int command_mkdir(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (mkdir(arguments[i], 0777) < 0)
            complain(arguments[i]);
    return 0;
}

static int command_sync(int count, char **arguments)
{
    (void)count, (void)arguments;
    sync();
    return 0;
}

static int command_rmdir(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (rmdir(arguments[i]) < 0)
            complain(arguments[i]);
    return 0;
}

static int command_touch(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const int file = open(arguments[i], O_RDONLY | O_CREAT, 0666);
        if (file < 0 || futimens(file, NULL) < 0)
            complain(arguments[i]);
        if (file >= 0)
            close(file);
    }
    return 0;
}

static int command_ln(int count, char **arguments)
{
    const bool symbolic = strcmp(arguments[1], "-s") == 0;

    if (count != (symbolic ? 4 : 3))
        return -EINVAL;
    if (symbolic)
        return symlink(arguments[2], arguments[3]) < 0 ? -errno : 0;
    return link(arguments[1], arguments[2]) < 0 ? -errno : 0;
}

static int command_write(int count, char **arguments)
{
    FILE *stream = fopen(arguments[1], "w");

    if (!stream)
        return -errno;
    for (int i = 2; i < count; i++)
        fprintf(stream, "%s%s", arguments[i], i + 1 < count ? " " : "");
    fputc('\n', stream);
    return fclose(stream) != 0 ? -errno : 0;
}

const struct command file_commands[] = {
    {"pwd", "", "prints the working directory", 0, 0, command_pwd},
    {"cd", "[DIRECTORY]", "changes the working directory", 0, 1, command_cd},
    {"ls", "[-l] [PATH]...", "lists files", 0, SPLIT_ARGUMENTS_MAX, command_ls},
    {"cat", "FILE...", "prints files", 1, SPLIT_ARGUMENTS_MAX, command_cat},
    {"write", "FILE [WORD]...", "writes a line into a file", 1, SPLIT_ARGUMENTS_MAX, command_write},
    {"cp", "FROM TO", "copies a file", 2, 2, command_cp},
    {"mv", "FROM TO", "renames a file or directory", 2, 2, command_mv},
    {"ln", "[-s] TARGET NAME", "makes a link", 2, 3, command_ln},
    {"rm", "FILE...", "removes files", 1, SPLIT_ARGUMENTS_MAX, command_rm},
    {"mkdir", "DIRECTORY...", "makes directories", 1, SPLIT_ARGUMENTS_MAX, command_mkdir},
    {"rmdir", "DIRECTORY...", "removes empty directories", 1, SPLIT_ARGUMENTS_MAX, command_rmdir},
    {"sync", "", "has changed files written to the disk", 0, 0, command_sync},
    {"touch", "FILE...", "makes files, or makes them new", 1, SPLIT_ARGUMENTS_MAX, command_touch},
    {0},
};
