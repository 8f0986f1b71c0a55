/* SPDX-License-Identifier: MIT */
/*
 * Shared memory objects: files in a directory of their own.
 */
#include "files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHM_DIRECTORY "/dev/shm/"

/* The path of an object. EINVAL: the name is not one slash and a name behind it. */
static int shm_path(const char *name, char path[FS_PATH_BYTES])
{
    const size_t length = name[0] == '/' ? strlen(name + 1) : 0;

    if (length == 0 || strchr(name + 1, '/') || strcmp(name + 1, ".") == 0 || strcmp(name + 1, "..") == 0)
        return -EINVAL;
    if (length > FS_NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(path, SHM_DIRECTORY, sizeof(SHM_DIRECTORY));
    memcpy(path + sizeof(SHM_DIRECTORY) - 1, name + 1, length + 1);
    return 0;
}

int shm_open(const char *name, int flags, mode_t mode)
{
    char path[FS_PATH_BYTES];
    int error = shm_path(name, path);

    if (error == 0 && ((flags & O_ACCMODE) == O_WRONLY || (flags & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC))))
        error = -EINVAL;
    return (int)posix_result(error < 0 ? error : file_open(AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

int shm_unlink(const char *name)
{
    char path[FS_PATH_BYTES];
    const int error = shm_path(name, path);

    return error < 0 ? (int)posix_result(error) : unlink(path);
}
