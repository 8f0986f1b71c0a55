/* SPDX-License-Identifier: MIT */
/*
 * The table of file descriptors; see files.h.
 */
#include "files.h"

#include <fcntl.h>
#include <proto/console_client.h>
#include <proto/fs_client.h>
#include <quire/clock.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define STANDARD_FILES  3
#define HANDLES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct fs_handle))
#define PAUSE_NS        1000000UL
#define ATTACH_TRIES    100

int _close(int file);
int _fcntl(int file, int command, int argument);
int _isatty(int file);
int dup3(int file, int wanted, int flags);
int pipe2(int files[2], int flags);

static _Atomic uint8_t kinds[FS_HANDLES];

/*
 * Whose descriptors the table has, and who fills it; 0: nobody. The child of a fork finds another's number here, and a new
 * IPC buffer, whose word THREAD_WORD_FILES is 0: so it writes nothing before it needs to.
 */
static _Atomic pid_t filled_for, filling_for;

void files_pause(void)
{
    clock_sleep_until(clock_now_ns() + PAUSE_NS);
}

enum file_kind file_kind_of(uint64_t kind)
{
    if (kind == FS_KIND_CONSOLE)
        return FILE_CONSOLE;
    if (kind == FS_KIND_CONSOLE_ERROR)
        return FILE_CONSOLE_ERROR;
    return kind == FS_KIND_PIPE ? FILE_PIPE : FILE_STORED;
}

/* Asks the file server what is open. The other threads of a parent may have been opening and closing descriptors, so what
 * the child of a fork remembers of them is not what it has. */
static int attach(bool forked)
{
    struct fs_handle handles[HANDLES_AT_ONCE];
    uint8_t found[FS_HANDLES] = {FILE_CLOSED};
    uint64_t cursor = 0;

    do {
        size_t count = 0;
        const int error = fs_attach(SLOT_FS, cursor, forked, &cursor, handles, HANDLES_AT_ONCE, &count);
        if (error < 0)
            return error;
        for (size_t i = 0; i < count; i++)
            if (handles[i].number < FS_HANDLES)
                found[handles[i].number] = (uint8_t)file_kind_of(handles[i].kind);
    } while (cursor != 0);
    /* Nobody looks at the table before it is filled. */
    memcpy((void *)kinds, found, sizeof(found));
    return 0;
}

/* Fills the table. Without a file server there is still the terminal, or what the parent had. */
static void table_fill(bool forked)
{
    int error = -EPIPE;

    for (int tries = 0; error == -EPIPE && tries < ATTACH_TRIES; tries++) {
        if (tries > 0)
            files_pause();
        error = attach(forked);
    }
    for (int file = 0; error < 0 && !forked && file < STANDARD_FILES; file++)
        kinds[file] = file == STDERR_FILENO ? FILE_CONSOLE_ERROR : FILE_CONSOLE;
}

/* Waits until the table is this process's, or makes it that. */
static __attribute__((noinline)) void table_find(void)
{
    const pid_t self = getpid();
    pid_t before = filling_for;

    while (before != self && !atomic_compare_exchange_weak(&filling_for, &before, self))
        continue;
    if (before != self) {
        if (before != 0)
            transfer_child_of_fork();
        table_fill(before != 0);
        filled_for = self;
    }
    while (filled_for != self)
        files_pause();
    ipc_buffer()->user[THREAD_WORD_FILES] = 1;
}

void files_fork(pid_t child)
{
    /* If the child was faster, or there is no file server, nothing is to be done. */
    (void)!fs_process_forked(SLOT_FS, (uint64_t)child);
}

/* The table, filled; `file` is one of its places or EBADF. */
static int check_number(int file)
{
    if (!ipc_buffer()->user[THREAD_WORD_FILES])
        table_find();
    return file < 0 || file >= (int)FS_HANDLES ? -EBADF : 0;
}

void files_begin(void)
{
    (void)!check_number(0);
}

int file_kind(int file)
{
    if (check_number(file) < 0 || kinds[file] == FILE_CLOSED || kinds[file] == FILE_RESERVED)
        return -EBADF;
    return kinds[file];
}

int file_reserve(int minimum)
{
    if (check_number(minimum) < 0)
        return -EINVAL;
    for (int file = minimum; file < (int)FS_HANDLES; file++) {
        uint8_t closed = FILE_CLOSED;
        if (atomic_compare_exchange_strong(&kinds[file], &closed, FILE_RESERVED))
            return file;
    }
    return -EMFILE;
}

void file_settle(int file, enum file_kind kind)
{
    kinds[file] = (uint8_t)kind;
}

long files_error(long error)
{
    if (error == -EPIPE)
        return -EIO;
    return error == -EBADF ? -ENOSYS : error;
}

/* An error about a handle: a server that is gone, or that has forgotten it. */
static long handle_error(long error)
{
    return error == -EPIPE ? -EIO : error;
}

int _close(int file)
{
    const int kind = file_kind(file);
    uint8_t open = (uint8_t)kind;

    if (kind < 0 || !atomic_compare_exchange_strong(&kinds[file], &open, FILE_RESERVED))
        return (int)posix_result(-EBADF);
    /* A server that does not know the handle has it closed already. */
    (void)!fs_close(SLOT_FS, (uint64_t)file);
    file_settle(file, FILE_CLOSED);
    return 0;
}

/* Lets reserved descriptor `to` lead where `file` does. */
static int duplicate(int file, int kind, int to, uint64_t flags)
{
    const int error = fs_duplicate(SLOT_FS, (uint64_t)file, (uint64_t)to, flags);

    /* The terminal needs no file server, only who inherits it does. */
    if (error < 0 && !is_console(kind))
        return (int)handle_error(error);
    file_settle(to, (enum file_kind)kind);
    return to;
}

static int duplicate_above(int file, int minimum, uint64_t flags)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return kind;
    const int to = file_reserve(minimum);
    if (to < 0)
        return to;
    const int error = duplicate(file, kind, to, flags);
    if (error < 0)
        file_settle(to, FILE_CLOSED);
    return error;
}

int dup(int file)
{
    return (int)posix_result(duplicate_above(file, 0, 0));
}

static int duplicate_to(int file, int to, uint64_t flags)
{
    const int kind = file_kind(file);

    if (kind < 0 || check_number(to) < 0)
        return -EBADF;
    if (to == file)
        return to;
    const uint8_t old = atomic_exchange(&kinds[to], FILE_RESERVED);
    const int error = duplicate(file, kind, to, flags);
    if (error < 0)
        file_settle(to, (enum file_kind)old);
    return error;
}

int dup2(int file, int wanted)
{
    return (int)posix_result(duplicate_to(file, wanted, 0));
}

int dup3(int file, int wanted, int flags)
{
    if (file == wanted || (flags & ~O_CLOEXEC))
        return (int)posix_result(-EINVAL);
    return (int)posix_result(duplicate_to(file, wanted, flags & O_CLOEXEC ? FS_OPEN_CLOEXEC : 0));
}

/* The flags of fcntl(F_GETFL), which include the way a file was opened. */
static int status_flags(uint64_t flags)
{
    const int way = (flags & FS_OPEN_READ) && (flags & FS_OPEN_WRITE) ? O_RDWR
                    : flags & FS_OPEN_WRITE                           ? O_WRONLY
                                                                      : O_RDONLY;
    return way | (flags & FS_OPEN_APPEND ? O_APPEND : 0) | (flags & FS_OPEN_NONBLOCK ? O_NONBLOCK : 0);
}

/* The flags of a handle; of a terminal also without a file server. */
static int get_flags(int file, int kind, uint64_t *flags)
{
    const int error = fs_get_flags(SLOT_FS, (uint64_t)file, flags);

    if (error < 0 && !is_console(kind))
        return (int)handle_error(error);
    if (error < 0)
        *flags = FS_OPEN_READ | FS_OPEN_WRITE;
    return 0;
}

/* The commands that change nothing but the server's flags. */
static int control_flags(int file, int kind, int command, long argument)
{
    uint64_t flags = 0;
    int error = 0;

    switch (command) {
    case F_GETFD:
        error = get_flags(file, kind, &flags);
        return error < 0 ? error : flags & FS_OPEN_CLOEXEC ? FD_CLOEXEC : 0;
    case F_GETFL:
        error = get_flags(file, kind, &flags);
        return error < 0 ? error : status_flags(flags);
    case F_SETFD:
        error = fs_set_cloexec(SLOT_FS, (uint64_t)file, argument & FD_CLOEXEC ? FS_OPEN_CLOEXEC : 0);
        return (int)handle_error(error);
    case F_SETFL:
        flags = (argument & O_APPEND ? FS_OPEN_APPEND : 0) | (argument & O_NONBLOCK ? FS_OPEN_NONBLOCK : 0);
        return (int)handle_error(fs_set_flags(SLOT_FS, (uint64_t)file, flags));
    default:
        return -EINVAL;
    }
}

int file_control(int file, int command, long argument)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return kind;
    if (command == F_GETLK || command == F_SETLK || command == F_SETLKW)
        return file_lock(file, command, (struct flock *)argument);
    if (command != F_DUPFD && command != F_DUPFD_CLOEXEC)
        return control_flags(file, kind, command, argument);
    if (argument < 0 || argument >= (long)FS_HANDLES)
        return -EINVAL;
    return duplicate_above(file, (int)argument, command == F_DUPFD_CLOEXEC ? FS_OPEN_CLOEXEC : 0);
}

/* The C library's own way in, which knows no addresses. */
int _fcntl(int file, int command, int argument)
{
    return (int)posix_result(file_control(file, command, argument));
}

int pipe2(int files[2], int flags)
{
    const int reader = file_reserve(0);
    const int writer = reader < 0 ? reader : file_reserve(reader);
    long error = writer < 0 ? writer : 0;

    if (error == 0 && (flags & ~(O_CLOEXEC | O_NONBLOCK)))
        error = -EINVAL;
    if (error == 0)
        error = files_error(
            fs_pipe(SLOT_FS, (uint64_t)reader, (uint64_t)writer,
                    (flags & O_CLOEXEC ? FS_OPEN_CLOEXEC : 0) | (flags & O_NONBLOCK ? FS_OPEN_NONBLOCK : 0)));
    if (reader >= 0)
        file_settle(reader, error < 0 ? FILE_CLOSED : FILE_PIPE);
    if (writer >= 0)
        file_settle(writer, error < 0 ? FILE_CLOSED : FILE_PIPE);
    if (error < 0)
        return (int)posix_result(error);
    files[0] = reader;
    files[1] = writer;
    return 0;
}

int pipe(int files[2])
{
    return pipe2(files, 0);
}

int _isatty(int file)
{
    const int kind = file_kind(file);
    uint64_t columns, rows;

    /* A console that is away for a moment is no reason to change one's manners. */
    if (is_console(kind) && console_size(SLOT_CONSOLE, &columns, &rows) != -ENOTTY)
        return 1;
    errno = kind < 0 ? EBADF : ENOTTY;
    return 0;
}

int isatty(int file)
{
    return _isatty(file);
}

int getdtablesize(void)
{
    return (int)FS_HANDLES;
}
