/* SPDX-License-Identifier: MIT */
/*
 * ftw() and nftw(). The names of a directory are read before any of them is visited, so there is never more than one
 * descriptor open, whatever the depth.
 */
#include "files.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
    int (*function)(const char *path, const struct stat *status, int type, struct FTW *place); /* nftw() */
    int (*simple)(const char *path, const struct stat *status, int type);                      /* ftw() */
    int flags;
    dev_t device;
    size_t length; /* of the path */
    char path[FS_PATH_BYTES];
};

static int visit(struct walk *walk, int level);

static int tell(struct walk *walk, const struct stat *status, int type, int level)
{
    const char *slash = strrchr(walk->path, '/');
    struct FTW place = {.base = slash && slash[1] ? (int)(slash + 1 - walk->path) : 0, .level = level};

    if (walk->simple)
        return walk->simple(walk->path, status, type);
    return walk->function(walk->path, status, type, &place);
}

/* Visits what is named in a directory, the names of which go. */
static int visit_names(struct walk *walk, struct dirent **names, int count, int level)
{
    const size_t length = walk->length;
    const bool slash = length > 0 && walk->path[length - 1] == '/';
    int result = 0;

    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        const size_t needed = length + !slash + strlen(name);
        if (result == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            if (needed >= sizeof(walk->path)) {
                result = (int)posix_result(-ENAMETOOLONG);
            } else {
                strcpy(stpcpy(walk->path + length, slash ? "" : "/"), name);
                walk->length = needed;
                result = visit(walk, level + 1);
            }
        }
        free(names[i]);
    }
    free(names);
    walk->length = length;
    walk->path[length] = '\0';
    return result;
}

static int visit_directory(struct walk *walk, const struct stat *status, int level)
{
    const bool after = (walk->flags & FTW_DEPTH) != 0;
    struct dirent **names;

    const int count = scandir(walk->path, &names, NULL, alphasort);
    if (count < 0)
        return errno == EACCES ? tell(walk, status, FTW_DNR, level) : -1;
    int result = after ? 0 : tell(walk, status, FTW_D, level);
    if (result != 0) {
        for (int i = 0; i < count; i++)
            free(names[i]);
        free(names);
        return result;
    }
    result = visit_names(walk, names, count, level);
    return result == 0 && after ? tell(walk, status, FTW_DP, level) : result;
}

static int visit(struct walk *walk, int level)
{
    struct stat status;
    int type = FTW_F;

    if ((walk->flags & FTW_PHYS ? lstat : stat)(walk->path, &status) < 0) {
        if (level == 0 && errno != EACCES)
            return -1;
        type = lstat(walk->path, &status) == 0 ? FTW_SLN : FTW_NS;
    } else if (level == 0) {
        walk->device = status.st_dev;
    } else if ((walk->flags & FTW_MOUNT) && status.st_dev != walk->device) {
        return 0;
    }
    if (type == FTW_F && S_ISDIR(status.st_mode))
        return visit_directory(walk, &status, level);
    if (type == FTW_F && S_ISLNK(status.st_mode))
        type = FTW_SL;
    return tell(walk, &status, type, level);
}

static int walk_from(struct walk *walk, const char *path)
{
    walk->length = strlen(path);
    if (walk->length == 0 || walk->length >= sizeof(walk->path))
        return (int)posix_result(walk->length ? -ENAMETOOLONG : -ENOENT);
    (void)strcpy(walk->path, path);
    return visit(walk, 0);
}

int ftw(const char *path, int (*function)(const char *path, const struct stat *status, int type), int descriptors)
{
    struct walk walk = {.simple = function};

    (void)descriptors;
    return walk_from(&walk, path);
}

int nftw(const char *path, int (*function)(const char *path, const struct stat *status, int type, struct FTW *place),
         int descriptors, int flags)
{
    struct walk walk = {.function = function, .flags = flags};

    (void)descriptors;
    if (flags & FTW_CHDIR) /* relative paths would lead nowhere */
        return (int)posix_result(-ENOSYS);
    return walk_from(&walk, path);
}
