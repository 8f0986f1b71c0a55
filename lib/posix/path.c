/* SPDX-License-Identifier: MIT */
/*
 * Paths: the working directory, which is the program's own affair since the file server only knows absolute paths, and
 * what is done to names.
 */
#include "files.h"
#include "start.h"

#include <fcntl.h>
#include <proto/fs_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/lock.h>
#include <sys/stat.h>
#include <unistd.h>

int _link(const char *old, const char *new);
int _mkdir(const char *path, mode_t mode);
int _unlink(const char *path);

extern struct __lock __lock_working_directory;
/* Without symbolic links when it was set; empty: it was not. The lock guards it. */
static char working_directory[FS_PATH_BYTES];

mode_t mode_masked(mode_t mode)
{
    return mode & ~start_mask & 07777;
}

mode_t umask(mode_t new)
{
    const mode_t old = start_mask;

    start_mask = new & 0777;
    return old;
}

/* The directory from which a relative path goes. */
static int start_of(int directory, char start[FS_PATH_BYTES])
{
    size_t bytes = 0;

    if (directory == AT_FDCWD) {
        __retarget_lock_acquire_recursive(&__lock_working_directory);
        if (working_directory[0])
            strcpy(start, working_directory);
        else
            (void)snprintf(start, FS_PATH_BYTES, "%s", start_directory ? start_directory : "/");
        __retarget_lock_release_recursive(&__lock_working_directory);
        return 0;
    }
    if (file_kind(directory) < 0)
        return -EBADF;
    const int error = fs_directory_path(SLOT_FS, (uint64_t)directory, start, FS_PATH_BYTES, &bytes);
    return error == -EPIPE ? -EIO : error;
}

void path_of_working_directory(char path[FS_PATH_BYTES])
{
    (void)!start_of(AT_FDCWD, path);
}

int path_absolute(int directory, const char *path, char absolute[FS_PATH_BYTES])
{
    const size_t length = strlen(path);
    size_t start = 0;

    if (length == 0)
        return -ENOENT;
    if (path[0] != '/') {
        const int error = start_of(directory, absolute);
        if (error < 0)
            return error;
        start = strlen(absolute);
        if (start + 1 >= FS_PATH_BYTES)
            return -ENAMETOOLONG;
        absolute[start++] = '/';
    }
    if (length >= FS_PATH_BYTES - start)
        return -ENAMETOOLONG;
    memcpy(absolute + start, path, length + 1);
    return 0;
}

int path_absolute_two(const int directories[2], const char *const paths[2], char absolute[2 * FS_PATH_BYTES],
                      size_t *bytes)
{
    int error = path_absolute(directories[0], paths[0], absolute);

    if (error < 0)
        return error;
    const size_t first = strlen(absolute) + 1;
    error = path_absolute(directories[1], paths[1], absolute + first);
    if (error == 0)
        *bytes = first + strlen(absolute + first) + 1;
    return error;
}

static int set_working_directory(const char *path, bool by_handle, int file)
{
    char absolute[FS_PATH_BYTES], resolved[FS_PATH_BYTES];
    size_t bytes = 0;
    long error;

    if (by_handle) {
        error = start_of(file, resolved);
    } else {
        error = path_absolute(AT_FDCWD, path, absolute);
        if (error == 0)
            error = files_error(fs_resolve(SLOT_FS, FS_RESOLVE_DIRECTORY, absolute, strlen(absolute) + 1, resolved,
                                           sizeof(resolved), &bytes));
    }
    if (error < 0)
        return (int)error;
    __retarget_lock_acquire_recursive(&__lock_working_directory);
    strcpy(working_directory, resolved);
    __retarget_lock_release_recursive(&__lock_working_directory);
    return 0;
}

int chdir(const char *path)
{
    return (int)posix_result(set_working_directory(path, false, -1));
}

int fchdir(int file)
{
    return (int)posix_result(set_working_directory(NULL, true, file));
}

char *getcwd(char *path, size_t bytes)
{
    char current[FS_PATH_BYTES];

    (void)!start_of(AT_FDCWD, current);
    const size_t needed = strlen(current) + 1;
    if (path && bytes < needed) {
        errno = bytes == 0 ? EINVAL : ERANGE;
        return NULL;
    }
    if (!path) {
        path = malloc(bytes > needed ? bytes : needed);
        if (!path)
            return NULL;
    }
    return memcpy(path, current, needed);
}

char *realpath(const char *restrict path, char *restrict resolved)
{
    char absolute[FS_PATH_BYTES], found[FS_PATH_BYTES];
    size_t bytes = 0;
    long error = path ? path_absolute(AT_FDCWD, path, absolute) : -EINVAL;

    if (error == 0)
        error = files_error(fs_resolve(SLOT_FS, 0, absolute, strlen(absolute) + 1, found, sizeof(found), &bytes));
    if (error < 0) {
        errno = (int)-error;
        return NULL;
    }
    if (!resolved)
        resolved = malloc(bytes);
    return resolved ? memcpy(resolved, found, bytes) : NULL;
}

int linkat(int old_directory, const char *old, int new_directory, const char *new, int flags)
{
    char absolute[2 * FS_PATH_BYTES];
    size_t bytes = 0;
    long error = path_absolute_two((const int[]){old_directory, new_directory}, (const char *const[]){old, new},
                                   absolute, &bytes);

    if (error == 0)
        error = files_error(fs_link(SLOT_FS, flags & AT_SYMLINK_FOLLOW ? FS_FOLLOW : 0, absolute, bytes));
    return (int)posix_result(error);
}

int _link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int symlinkat(const char *target, int directory, const char *path)
{
    const size_t length = strlen(target);
    char text[2 * FS_PATH_BYTES];
    long error = 0;

    if (length >= FS_PATH_BYTES)
        error = -ENAMETOOLONG;
    if (error == 0) {
        memcpy(text, target, length + 1);
        error = path_absolute(directory, path, text + length + 1);
    }
    if (error == 0)
        error = files_error(fs_symlink(SLOT_FS, text, length + 1 + strlen(text + length + 1) + 1));
    return (int)posix_result(error);
}

int symlink(const char *target, const char *path)
{
    return symlinkat(target, AT_FDCWD, path);
}

ssize_t readlinkat(int directory, const char *restrict path, char *restrict target, size_t bytes)
{
    char absolute[FS_PATH_BYTES];
    size_t got = 0;
    long error = bytes == 0 ? -EINVAL : path_absolute(directory, path, absolute);

    if (error == 0)
        error = files_error(fs_readlink(SLOT_FS, absolute, strlen(absolute) + 1, target, bytes, &got));
    return error < 0 ? posix_result(error) : (ssize_t)got;
}

ssize_t readlink(const char *restrict path, char *restrict target, size_t bytes)
{
    return readlinkat(AT_FDCWD, path, target, bytes);
}

int renameat(int old_directory, const char *old, int new_directory, const char *new)
{
    char absolute[2 * FS_PATH_BYTES];
    size_t bytes = 0;
    long error = path_absolute_two((const int[]){old_directory, new_directory}, (const char *const[]){old, new},
                                   absolute, &bytes);

    if (error == 0)
        error = files_error(fs_rename(SLOT_FS, absolute, bytes));
    return (int)posix_result(error);
}

int unlinkat(int directory, const char *path, int flags)
{
    char absolute[FS_PATH_BYTES];
    long error = flags & ~AT_REMOVEDIR ? -EINVAL : path_absolute(directory, path, absolute);

    if (error == 0 && (flags & AT_REMOVEDIR))
        error = files_error(fs_rmdir(SLOT_FS, absolute, strlen(absolute) + 1));
    else if (error == 0)
        error = files_error(fs_unlink(SLOT_FS, absolute, strlen(absolute) + 1));
    return (int)posix_result(error);
}

int _unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    char absolute[FS_PATH_BYTES];
    long error = path_absolute(directory, path, absolute);

    if (error == 0)
        error = files_error(fs_mkdir(SLOT_FS, mode_masked(mode), absolute, strlen(absolute) + 1));
    return (int)posix_result(error);
}

int _mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return _mkdir(path, mode);
}
