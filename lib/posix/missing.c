/* SPDX-License-Identifier: MIT */
/*
 * Functions that the C library declares and that Quire does not have yet: each says ENOSYS.
 */
#include "internal.h"

#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* One line a function: result type, name and parameters. */
#define MISSING(type, name, ...)                                                                                       \
    type name(__VA_ARGS__);                                                                                            \
    type name(__VA_ARGS__)                                                                                             \
    {                                                                                                                  \
        return (type)posix_result(-ENOSYS);                                                                            \
    }

MISSING(int, mkfifo, const char *path, mode_t mode)
MISSING(int, mkfifoat, int directory, const char *path, mode_t mode)
MISSING(int, mknod, const char *path, mode_t mode, dev_t device)
MISSING(int, mknodat, int directory, const char *path, mode_t mode, dev_t device)
MISSING(int, nice, int increment)
MISSING(int, settimeofday, const struct timeval *time, const struct timezone *zone)
