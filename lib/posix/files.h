/* SPDX-License-Identifier: MIT */
/*
 * The program's file descriptors. Which of them are open, and of what kind, is kept here; everything else about them is
 * the file server's, whose handles have the same numbers. Any thread may call.
 */
#ifndef POSIX_FILES_H
#define POSIX_FILES_H

#include "internal.h"

#include <proto/fs_protocol.h>
#include <stdbool.h>
#include <sys/types.h>

#define FILES_MUST_CHECK __attribute__((warn_unused_result))

enum file_kind {
    FILE_CLOSED = 0,
    FILE_RESERVED = 1, /* being opened or closed */
    FILE_CONSOLE = 2,
    FILE_CONSOLE_ERROR = 3, /* the same, but what is written is the program's complaints */
    FILE_PIPE = 4,
    FILE_STORED = 5, /* a file, a directory or a device of the file server */
};

/* What a descriptor is; EBADF: not open. */
FILES_MUST_CHECK int file_kind(int file);

/* Takes the lowest descriptor that is closed and at least `minimum`, for the caller alone. EMFILE: there is none. */
FILES_MUST_CHECK int file_reserve(int minimum);

/* Ends a reservation: the descriptor is of that kind, or, with FILE_CLOSED, was not opened after all. */
void file_settle(int file, enum file_kind kind);

/* FS_KIND_* as a kind of descriptor. */
enum file_kind file_kind_of(uint64_t kind);

/* What an error of the file server's transport is to a program: EIO if the server ended meanwhile, ENOSYS if the program
 * has none. Other values stay. */
long files_error(long error);

struct flock;

/* What fcntl() does with F_GETLK, F_SETLK and F_SETLKW. */
FILES_MUST_CHECK int file_lock(int file, int command, struct flock *lock);

/* Makes a path absolute, from the directory that descriptor `directory` (or AT_FDCWD) names. ENOENT, ENAMETOOLONG, or
 * what the file server says of the directory. */
FILES_MUST_CHECK int path_absolute(int directory, const char *path, char absolute[FS_PATH_BYTES]);

/* The same for two paths, one behind the other; *bytes is their length with both zeros. */
FILES_MUST_CHECK int path_absolute_two(const int directories[2], const char *const paths[2],
                                       char absolute[2 * FS_PATH_BYTES], size_t *bytes);

/* The working directory. */
void path_of_working_directory(char path[FS_PATH_BYTES]);

/* Permission bits of a new file after the program's umask. */
mode_t mode_masked(mode_t mode);

/* open() with absolute or relative path and the negative errno as its result. */
FILES_MUST_CHECK int file_open(int directory, const char *path, int flags, mode_t mode);

/* The terminal. Results are counts of bytes or negative errno values. */
FILES_MUST_CHECK long console_read_bytes(void *data, size_t bytes);
FILES_MUST_CHECK long console_write_bytes(enum file_kind kind, const void *data, size_t bytes);

/*
 * One request of a long read or write of a file, at most FS_TRANSFER_BYTES, through memory shared with the file server.
 * Where `offset` is null the description's own counts. The number of bytes or a negative errno; ENXIO: nothing was done,
 * it has to go by messages.
 */
FILES_MUST_CHECK long transfer_read(int file, void *data, size_t bytes, const uint64_t *offset);
FILES_MUST_CHECK long transfer_write(int file, const void *data, size_t bytes, const uint64_t *offset);

/* In the child of a fork: it has no transfer buffer yet. */
void transfer_child_of_fork(void);

static inline bool is_console(int kind)
{
    return kind == FILE_CONSOLE || kind == FILE_CONSOLE_ERROR;
}

/* Waits a moment for a server that is busy or starts again. */
void files_pause(void);

#endif
