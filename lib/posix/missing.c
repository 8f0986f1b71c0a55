/* SPDX-License-Identifier: MIT */
/*
 * Functions that the C library or programs link against and that Quire does not have yet: each says ENOSYS.
 */
#include "internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One line a function: result type, name and parameters. */
#define MISSING(type, name, ...)                                                                                       \
    type name(__VA_ARGS__);                                                                                            \
    type name(__VA_ARGS__)                                                                                             \
    {                                                                                                                  \
        return (type)posix_result(-ENOSYS);                                                                            \
    }

MISSING(int, fexecve, int file, char *const arguments[], char *const environment[])
