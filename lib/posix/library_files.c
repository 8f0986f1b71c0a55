/* SPDX-License-Identifier: MIT */
/*
 * Functions on files that take the place of the C library's own: those would remove no directory, rename in two steps,
 * or pass an address as an int. They are objects, as the library's other members refer to some of them.
 */
#include "internal.h"

#include <fcntl.h>
#include <reent.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int renameat(int old_directory, const char *old, int new_directory, const char *new);

int rename(const char *old, const char *new)
{
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int _rename_r(struct _reent *reent, const char *old, const char *new)
{
    (void)reent;
    return rename(old, new);
}

int remove(const char *path)
{
    const int before = errno;

    if (unlink(path) == 0)
        return 0;
    if (errno != EISDIR)
        return -1;
    errno = before;
    return rmdir(path);
}

int _remove_r(struct _reent *reent, const char *path)
{
    (void)reent;
    return remove(path);
}

int fcntl(int file, int command, ...)
{
    va_list rest;

    va_start(rest, command);
    /* Commands without an argument ignore what is read here. */
    const long argument = va_arg(rest, long);
    va_end(rest);
    return (int)posix_result(file_control(file, command, argument));
}
