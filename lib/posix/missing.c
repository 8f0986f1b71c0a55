/* SPDX-License-Identifier: MIT */
/*
 * Functions that the C library or programs link against and that Quire does not have yet: each says ENOSYS.
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One line a function: result type, name and parameters. */
#define MISSING(type, name, ...)                                                                                       \
    type name(__VA_ARGS__);                                                                                            \
    type name(__VA_ARGS__)                                                                                             \
    {                                                                                                                  \
        return (type)posix_result(-ENOSYS);                                                                            \
    }

MISSING(int, _open, const char *path, int flags, int mode)
MISSING(int, _stat, const char *path, struct stat *status)
MISSING(int, _link, const char *old, const char *new)
MISSING(int, _unlink, const char *path)
MISSING(int, _mkdir, const char *path, mode_t mode)
MISSING(int, _fcntl, int file, int command, int argument)
MISSING(int, _execve, const char *path, char *const arguments[], char *const environment[])
MISSING(int, rmdir, const char *path)
MISSING(int, chdir, const char *path)
MISSING(int, chmod, const char *path, mode_t mode)
MISSING(int, fchmod, int file, mode_t mode)
MISSING(mode_t, umask, mode_t mask)
MISSING(int, access, const char *path, int mode)
MISSING(int, pipe, int files[2])
MISSING(int, dup, int file)
MISSING(int, dup2, int file, int wanted)
MISSING(int, fsync, int file)
MISSING(int, ftruncate, int file, off_t length)
MISSING(ssize_t, pread, int file, void *data, size_t bytes, off_t offset)
MISSING(ssize_t, pwrite, int file, const void *data, size_t bytes, off_t offset)
MISSING(unsigned, alarm, unsigned seconds)
MISSING(int, shm_open, const char *name, int flags, mode_t mode)
MISSING(int, shm_unlink, const char *name)
