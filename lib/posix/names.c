/* SPDX-License-Identifier: MIT */
/*
 * What a program may ask about paths, and what the system's parts are called.
 */
#include "files.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_PATH "/dev/tty"
#define TERMINAL_LINE 1024 /* bytes that the console edits */

/* The same for all files; -1 without an error: there is no limit. */
static long path_value(int name)
{
    switch (name) {
    case _PC_NAME_MAX:
        return FS_NAME_MAX;
    case _PC_PATH_MAX:
    case _PC_SYMLINK_MAX:
        return FS_PATH_BYTES;
    case _PC_PIPE_BUF:
        return FS_PIPE_BUF;
    case _PC_MAX_CANON:
    case _PC_MAX_INPUT:
        return TERMINAL_LINE;
    case _PC_NO_TRUNC:
    case _PC_2_SYMLINKS:
    case _PC_CHOWN_RESTRICTED:
        return 1;
    case _PC_VDISABLE:
        return 0;
    case _PC_FILESIZEBITS:
        return 64;
    case _PC_LINK_MAX:
        return INT_MAX;
    case _PC_ASYNC_IO:
    case _PC_PRIO_IO:
    case _PC_SYNC_IO:
        return -1;
    default:
        return posix_result(-EINVAL);
    }
}

long pathconf(const char *path, int name)
{
    return access(path, F_OK) < 0 ? -1 : path_value(name);
}

long fpathconf(int file, int name)
{
    const int kind = file_kind(file);

    return kind < 0 ? posix_result(kind) : path_value(name);
}

int ttyname_r(int file, char *name, size_t bytes)
{
    if (!isatty(file))
        return errno;
    if (bytes < sizeof(TERMINAL_PATH))
        return ERANGE;
    memcpy(name, TERMINAL_PATH, sizeof(TERMINAL_PATH));
    return 0;
}

char *ttyname(int file)
{
    static char name[] = TERMINAL_PATH;

    return isatty(file) ? name : NULL;
}
