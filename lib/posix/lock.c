/* SPDX-License-Identifier: MIT */
/*
 * Locks on parts of files. Who waits for one asks again and again.
 */
#include "files.h"

#include <fcntl.h>
#include <proto/fs_client.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first and the last byte that a struct flock means. */
static int range_of(int file, const struct flock *lock, uint64_t *first, uint64_t *last)
{
    struct stat status;
    off_t base = 0, start, end;

    if (lock->l_whence == SEEK_CUR)
        base = lseek(file, 0, SEEK_CUR);
    else if (lock->l_whence == SEEK_END && fstat(file, &status) == 0)
        base = status.st_size;
    else if (lock->l_whence != SEEK_SET)
        return -EINVAL;
    if (base < 0 || __builtin_add_overflow(base, lock->l_start, &start) ||
        __builtin_add_overflow(start, lock->l_len, &end))
        return -EINVAL;
    /* A negative length means what lies before, none all that lies behind. */
    if (lock->l_len < 0) {
        const off_t before = end;
        end = start;
        start = before;
    }
    if (start < 0)
        return -EINVAL;
    *first = (uint64_t)start;
    *last = lock->l_len == 0 ? INT64_MAX : (uint64_t)end - 1;
    return 0;
}

static int query(int file, struct flock *lock, uint64_t type, uint64_t first, uint64_t last)
{
    uint64_t found = FS_LOCK_NONE, owner = 0, found_first = 0, found_last = 0;
    const int error =
        fs_lock_query(SLOT_FS, (uint64_t)file, type, first, last, &found, &owner, &found_first, &found_last);

    if (error < 0)
        return error;
    if (found == FS_LOCK_NONE) {
        lock->l_type = F_UNLCK;
        return 0;
    }
    lock->l_type = found == FS_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK;
    lock->l_whence = SEEK_SET;
    lock->l_start = (long)found_first;
    lock->l_len = found_last >= INT64_MAX ? 0 : (long)(found_last - found_first + 1);
    lock->l_pid = (short)owner;
    return 0;
}

int file_lock(int file, int command, struct flock *lock)
{
    uint64_t first = 0, last = 0;
    int error = range_of(file, lock, &first, &last);
    const uint64_t type = lock->l_type == F_RDLCK   ? FS_LOCK_SHARED
                          : lock->l_type == F_WRLCK ? FS_LOCK_EXCLUSIVE
                                                    : FS_LOCK_NONE;

    if (error == 0 && type == FS_LOCK_NONE && (lock->l_type != F_UNLCK || command == F_GETLK))
        error = -EINVAL;
    if (error == 0 && command == F_GETLK)
        error = query(file, lock, type, first, last);
    else if (error == 0)
        while ((error = fs_lock(SLOT_FS, (uint64_t)file, type, first, last)) == -EAGAIN && command == F_SETLKW)
            files_pause();
    return error == -EPIPE ? -EIO : error;
}
