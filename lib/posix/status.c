/* SPDX-License-Identifier: MIT */
/*
 * What is known of files: stat and its kin, permission bits, owners, times.
 */
#include "files.h"

#include <fcntl.h>
#include <proto/fs_client.h>
#include <quire/clock.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#define NS_PER_MICROSECOND 1000L
#define TERMINAL_BLOCK     1024

int _fstat(int file, struct stat *status);
int _stat(const char *path, struct stat *status);

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

static void fill_status(const struct fs_status *record, struct stat *status)
{
    *status = (struct stat){
        .st_dev = (dev_t)record->device,
        .st_ino = (ino_t)record->inode,
        .st_mode = (mode_t)record->mode,
        .st_nlink = (nlink_t)record->links,
        .st_uid = (uid_t)record->user,
        .st_gid = (gid_t)record->group,
        .st_rdev = (dev_t)record->special,
        .st_size = (off_t)record->size,
        .st_atim = to_timespec(record->accessed),
        .st_mtim = to_timespec(record->modified),
        .st_ctim = to_timespec(record->changed),
        .st_blksize = (blksize_t)PAGE_SIZE,
        .st_blocks = (blkcnt_t)record->blocks,
    };
}

/* What is known of a path; a negative errno if nothing. */
static long path_record(int directory, const char *path, uint64_t flags, struct fs_status *record)
{
    char absolute[FS_PATH_BYTES];
    size_t count = 0;
    long error = path_absolute(directory, path, absolute);

    if (error == 0)
        error = files_error(fs_path_status(SLOT_FS, flags, absolute, strlen(absolute) + 1, record, 1, &count));
    return error < 0 ? error : count == 1 ? 0 : -EIO;
}

int fstatat(int directory, const char *restrict path, struct stat *restrict status, int flags)
{
    struct fs_status record;
    long error = flags & ~AT_SYMLINK_NOFOLLOW ? -EINVAL : 0;

    if (error == 0)
        error = path_record(directory, path, flags & AT_SYMLINK_NOFOLLOW ? 0 : FS_FOLLOW, &record);
    if (error == 0)
        fill_status(&record, status);
    return (int)posix_result(error);
}

int _stat(const char *path, struct stat *status)
{
    return fstatat(AT_FDCWD, path, status, 0);
}

int lstat(const char *restrict path, struct stat *restrict status)
{
    return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int _fstat(int file, struct stat *status)
{
    const int kind = file_kind(file);
    struct fs_status record;
    size_t count = 0;

    if (kind < 0)
        return (int)posix_result(kind);
    const int error = fs_status(SLOT_FS, (uint64_t)file, &record, 1, &count);
    if (error == 0 && count == 1)
        fill_status(&record, status);
    else if (is_console(kind))
        *status = (struct stat){.st_mode = S_IFCHR | S_IRUSR | S_IWUSR, .st_nlink = 1};
    else
        return (int)posix_result(error == -EPIPE || error == 0 ? -EIO : error);
    if (is_console(kind))
        status->st_blksize = TERMINAL_BLOCK;
    return 0;
}

int faccessat(int directory, const char *path, int mode, int flags)
{
    struct fs_status record;
    long error = mode & ~(R_OK | W_OK | X_OK) || flags & ~AT_EACCESS ? -EINVAL : 0;

    if (error == 0)
        error = path_record(directory, path, FS_FOLLOW, &record);
    /* The one user may do everything but execute what is not executable. */
    if (error == 0 && (mode & X_OK) && !S_ISDIR(record.mode) && !(record.mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        error = -EACCES;
    return (int)posix_result(error);
}

int access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, 0);
}

int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
    char absolute[FS_PATH_BYTES];
    long error = flags ? -EINVAL : path_absolute(directory, path, absolute);

    if (error == 0)
        error = files_error(fs_path_chmod(SLOT_FS, mode, absolute, strlen(absolute) + 1));
    return (int)posix_result(error);
}

int chmod(const char *path, mode_t mode)
{
    return fchmodat(AT_FDCWD, path, mode, 0);
}

/* An owner as the file server knows it: -1 of the program's type leaves it as it is. */
static uint64_t to_user(uid_t user)
{
    return user == (uid_t)-1 ? UINT32_MAX : user;
}

static uint64_t to_group(gid_t group)
{
    return group == (gid_t)-1 ? UINT32_MAX : group;
}

/* The result of a request about a descriptor. */
static int handle_result(int file, int error)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return (int)posix_result(kind);
    return (int)posix_result(error == -EPIPE ? -EIO : error);
}

int fchmod(int file, mode_t mode)
{
    return handle_result(file, file_kind(file) < 0 ? 0 : fs_chmod(SLOT_FS, (uint64_t)file, mode));
}

int fchownat(int directory, const char *path, uid_t user, gid_t group, int flags)
{
    char absolute[FS_PATH_BYTES];
    long error = flags & ~AT_SYMLINK_NOFOLLOW ? -EINVAL : path_absolute(directory, path, absolute);

    if (error == 0)
        error = files_error(fs_path_chown(SLOT_FS, flags & AT_SYMLINK_NOFOLLOW ? 0 : FS_FOLLOW, to_user(user),
                                          to_group(group), absolute, strlen(absolute) + 1));
    return (int)posix_result(error);
}

int chown(const char *path, uid_t user, gid_t group)
{
    return fchownat(AT_FDCWD, path, user, group, 0);
}

int lchown(const char *path, uid_t user, gid_t group)
{
    return fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW);
}

int fchown(int file, uid_t user, gid_t group)
{
    return handle_result(file,
                         file_kind(file) < 0 ? 0 : fs_chown(SLOT_FS, (uint64_t)file, to_user(user), to_group(group)));
}

/* A time as the file server knows it. EINVAL: it makes no sense. */
static int from_timespec(const struct timespec *time, uint64_t *ns)
{
    if (time->tv_nsec == UTIME_NOW)
        *ns = FS_TIME_NOW;
    else if (time->tv_nsec == UTIME_OMIT)
        *ns = FS_TIME_KEEP;
    else if (time->tv_nsec < 0 || time->tv_nsec >= (long)NS_PER_SECOND || time->tv_sec < 0)
        return -EINVAL;
    else
        *ns = (uint64_t)time->tv_sec * NS_PER_SECOND + (uint64_t)time->tv_nsec;
    return 0;
}

/* Both times; a null pointer means now. */
static int both_times(const struct timespec *times, uint64_t ns[2])
{
    ns[0] = ns[1] = FS_TIME_NOW;
    if (!times)
        return 0;
    const int error = from_timespec(&times[0], &ns[0]);
    return error < 0 ? error : from_timespec(&times[1], &ns[1]);
}

int utimensat(int directory, const char *path, const struct timespec *times, int flags)
{
    char absolute[FS_PATH_BYTES];
    uint64_t ns[2];
    long error = flags & ~AT_SYMLINK_NOFOLLOW ? -EINVAL : both_times(times, ns);

    if (error == 0)
        error = path_absolute(directory, path, absolute);
    if (error == 0)
        error = files_error(fs_path_times(SLOT_FS, flags & AT_SYMLINK_NOFOLLOW ? 0 : FS_FOLLOW, ns[0], ns[1], absolute,
                                          strlen(absolute) + 1));
    return (int)posix_result(error);
}

int futimens(int file, const struct timespec *times)
{
    uint64_t ns[2];
    int error = both_times(times, ns);

    if (error == 0 && file_kind(file) >= 0)
        error = fs_times(SLOT_FS, (uint64_t)file, ns[0], ns[1]);
    return handle_result(file, error);
}

static struct timespec from_timeval(const struct timeval *time)
{
    /* Out of range stays out of range, and is none of the special values. */
    if (time->tv_usec < 0 || time->tv_usec >= 1000000)
        return (struct timespec){.tv_nsec = (long)NS_PER_SECOND};
    return (struct timespec){.tv_sec = time->tv_sec, .tv_nsec = (long)time->tv_usec * NS_PER_MICROSECOND};
}

int utimes(const char *path, const struct timeval *times)
{
    if (!times)
        return utimensat(AT_FDCWD, path, NULL, 0);
    return utimensat(AT_FDCWD, path, (const struct timespec[]){from_timeval(&times[0]), from_timeval(&times[1])}, 0);
}

int lutimes(const char *path, const struct timeval *times)
{
    if (!times)
        return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
    return utimensat(AT_FDCWD, path, (const struct timespec[]){from_timeval(&times[0]), from_timeval(&times[1])},
                     AT_SYMLINK_NOFOLLOW);
}

int futimes(int file, const struct timeval *times)
{
    if (!times)
        return futimens(file, NULL);
    return futimens(file, (const struct timespec[]){from_timeval(&times[0]), from_timeval(&times[1])});
}

int utime(const char *path, const struct utimbuf *times)
{
    if (!times)
        return utimensat(AT_FDCWD, path, NULL, 0);
    return utimensat(AT_FDCWD, path, (const struct timespec[]){{.tv_sec = times->actime}, {.tv_sec = times->modtime}},
                     0);
}

static void fill_volume(const struct fs_volume *volume, struct statvfs *status)
{
    *status = (struct statvfs){
        .f_bsize = volume->block_bytes,
        .f_frsize = volume->block_bytes,
        .f_blocks = volume->blocks,
        .f_bfree = volume->free_blocks,
        .f_bavail = volume->available_blocks,
        .f_files = volume->inodes,
        .f_ffree = volume->free_inodes,
        .f_favail = volume->free_inodes,
        .f_fsid = volume->number,
        .f_flag = volume->flags & FS_VOLUME_READ_ONLY ? ST_RDONLY : 0,
        .f_namemax = FS_NAME_MAX,
    };
}

int statvfs(const char *restrict path, struct statvfs *restrict status)
{
    char absolute[FS_PATH_BYTES];
    struct fs_volume volume;
    size_t count = 0;

    long error = path_absolute(AT_FDCWD, path, absolute);
    if (error == 0)
        error = files_error(fs_volume(SLOT_FS, absolute, strlen(absolute) + 1, &volume, 1, &count));
    if (error == 0 && count == 1)
        fill_volume(&volume, status);
    return (int)posix_result(error == 0 && count != 1 ? -EIO : error);
}

int fstatvfs(int file, struct statvfs *status)
{
    const int kind = file_kind(file);
    struct fs_volume volume;
    size_t count = 0;

    const long error = kind < 0 ? kind : files_error(fs_volume_of(SLOT_FS, (uint64_t)file, &volume, 1, &count));
    if (error == 0 && count == 1)
        fill_volume(&volume, status);
    return (int)posix_result(error == 0 && count != 1 ? -EIO : error);
}
