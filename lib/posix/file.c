/* SPDX-License-Identifier: MIT */
/*
 * Files, as far as there are any: 0, 1 and 2 are the terminal. A program without a console, or whose console is gone,
 * writes to the machine's log instead, so that nothing it says is lost.
 */
#include "internal.h"

#include <proto/console_client.h>
#include <proto/root_client.h>
#include <sys/stat.h>
#include <unistd.h>

#define TERMINAL_BLOCK_BYTES 1024

int _close(int file);
int _fstat(int file, struct stat *status);
int _isatty(int file);
off_t _lseek(int file, off_t offset, int from);
ssize_t _read(int file, void *data, size_t bytes);
ssize_t _write(int file, const void *data, size_t bytes);

static int is_terminal(int file)
{
    return file >= STDIN_FILENO && file <= STDERR_FILENO;
}

/* Writes one message's worth. Returns 0 or a negative errno. */
static int write_part(const char *data, size_t bytes)
{
    const int error = console_write(SLOT_CONSOLE, data, bytes);
    if (error == 0)
        return 0;
    return root_log(SLOT_ROOT, data, bytes) == 0 ? 0 : -EIO;
}

ssize_t _write(int file, const void *data, size_t bytes)
{
    size_t done = 0;

    if (!is_terminal(file))
        return posix_result(-EBADF);
    while (done < bytes) {
        const size_t part = bytes - done < PROTO_DATA_MAX ? bytes - done : PROTO_DATA_MAX;
        const int error = write_part((const char *)data + done, part);
        if (error < 0)
            return done > 0 ? (ssize_t)done : posix_result(error);
        done += part;
    }
    return (ssize_t)done;
}

ssize_t _read(int file, void *data, size_t bytes)
{
    size_t got = 0;

    if (!is_terminal(file))
        return posix_result(-EBADF);
    if (bytes == 0)
        return 0;
    const int error = console_read(SLOT_CONSOLE, data, bytes < PROTO_DATA_MAX ? bytes : PROTO_DATA_MAX, &got);
    if (error < 0)
        return posix_result(error == -EAGAIN ? -EAGAIN : -EIO);
    return (ssize_t)got;
}

/* There is no table of open files yet, so the terminal stays open. */
int _close(int file)
{
    return (int)posix_result(is_terminal(file) ? 0 : -EBADF);
}

int _isatty(int file)
{
    if (is_terminal(file))
        return 1;
    errno = EBADF;
    return 0;
}

int isatty(int file)
{
    return _isatty(file);
}

int _fstat(int file, struct stat *status)
{
    if (!is_terminal(file))
        return (int)posix_result(-EBADF);
    *status = (struct stat){
        .st_mode = S_IFCHR | S_IRUSR | S_IWUSR,
        .st_nlink = 1,
        .st_blksize = TERMINAL_BLOCK_BYTES,
    };
    return 0;
}

off_t _lseek(int file, off_t offset, int from)
{
    (void)offset, (void)from;
    return posix_result(is_terminal(file) ? -ESPIPE : -EBADF);
}
