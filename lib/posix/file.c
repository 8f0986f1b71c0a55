/* SPDX-License-Identifier: MIT */
/*
 * Files, as far as there are any: 0, 1 and 2 are the terminal, or whatever is there instead of one. A program without a console, or whose console is gone,
 * writes to the machine's log instead, so that nothing it says is lost.
 */
#include "internal.h"

#include <proto/console_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define TERMINAL_BLOCK_BYTES 1024
#define TRIES_MAX            100u
#define PAUSE_NS             10000000UL

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

/* True if a request that failed with `error` may work a little later, `tries` having been made: the console server was
 * ended and starts again, or it has too many to wait for. Pauses, then. */
static bool worth_trying_again(int error, unsigned tries)
{
    if ((error != -EPIPE && error != -EAGAIN) || tries >= TRIES_MAX)
        return false;
    clock_sleep_until(clock_now_ns() + PAUSE_NS);
    if (error == -EPIPE)
        terminal_mode_again();
    return true;
}

/* Writes one message's worth to a stream of the console. Returns 0 or a negative errno. */
static int write_part(uint64_t stream, const char *data, size_t bytes)
{
    unsigned tries = 1;
    int error;

    /* A server that is ended while it writes may have shown a part, which then comes twice. */
    while ((error = console_write_stream(SLOT_CONSOLE, stream, data, bytes)) < 0 && worth_trying_again(error, tries))
        tries++;
    if (error == 0)
        return 0;
    return root_log(SLOT_ROOT, data, bytes) == 0 ? 0 : -EIO;
}

ssize_t _write(int file, const void *data, size_t bytes)
{
    const uint64_t stream = file == STDERR_FILENO ? CONSOLE_STREAM_ERROR : CONSOLE_STREAM_OUTPUT;
    size_t done = 0;

    if (!is_terminal(file))
        return posix_result(-EBADF);
    while (done < bytes) {
        const size_t part = bytes - done < PROTO_DATA_MAX ? bytes - done : PROTO_DATA_MAX;
        const int error = write_part(stream, (const char *)data + done, part);
        if (error < 0)
            return done > 0 ? (ssize_t)done : posix_result(error);
        done += part;
    }
    return (ssize_t)done;
}

ssize_t _read(int file, void *data, size_t bytes)
{
    const size_t capacity = bytes < PROTO_DATA_MAX ? bytes : PROTO_DATA_MAX;
    unsigned tries = 1;
    size_t got = 0;
    int error;

    if (!is_terminal(file))
        return posix_result(-EBADF);
    if (bytes == 0)
        return 0;
    while ((error = console_read(SLOT_CONSOLE, data, capacity, &got)) < 0 && worth_trying_again(error, tries))
        tries++;
    return error < 0 ? posix_result(-EIO) : (ssize_t)got;
}

/* There is no table of open files yet, so the terminal stays open. */
int _close(int file)
{
    return (int)posix_result(is_terminal(file) ? 0 : -EBADF);
}

int _isatty(int file)
{
    uint64_t columns, rows;

    if (!is_terminal(file)) {
        errno = EBADF;
        return 0;
    }
    /* A console that is away for a moment is no reason to change one's manners. */
    if (console_size(SLOT_CONSOLE, &columns, &rows) != -ENOTTY)
        return 1;
    errno = ENOTTY;
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
