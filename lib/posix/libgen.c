/* SPDX-License-Identifier: MIT */
/*
 * The last part of a path, and what stands before it. Both may cut the path that they are given.
 */
#include <libgen.h>
#include <string.h>

/* Cuts slashes at the end, but not one that is all there is. Returns the length that stays. */
static size_t trimmed(char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    return length;
}

char *basename(char *path)
{
    static char here[] = ".";

    if (!path || !*path)
        return here;
    const size_t length = trimmed(path);
    char *slash = strrchr(path, '/');
    return slash && length > 1 ? slash + 1 : path;
}

char *dirname(char *path)
{
    static char here[] = ".", root[] = "/";

    if (!path || !*path)
        return here;
    trimmed(path);
    char *slash = strrchr(path, '/');
    if (!slash)
        return here;
    if (slash == path)
        return root;
    *slash = '\0';
    trimmed(path);
    return path;
}
