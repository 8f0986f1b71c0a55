/* SPDX-License-Identifier: MIT */
/*
 * Opening, reading and writing. A message carries a few KiB, so longer requests on files go through the transfer buffer,
 * or in parts, until all is done; reads of pipes as far as the first part goes.
 */
#include "files.h"
#include "signals.h"

#include <fcntl.h>
#include <proto/fs_client.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

off_t _lseek(int file, off_t offset, int from);
int _open(const char *path, int flags, int mode);
ssize_t _read(int file, void *data, size_t bytes);
ssize_t _write(int file, const void *data, size_t bytes);

/* The flags of open() as the file server knows them; 0: they make no sense. */
static uint64_t open_flags(int flags)
{
    static const struct {
        int posix;
        uint64_t fs;
    } table[] = {
        {O_APPEND, FS_OPEN_APPEND},     {O_NONBLOCK, FS_OPEN_NONBLOCK},   {O_CREAT, FS_OPEN_CREATE},
        {O_EXCL, FS_OPEN_EXCLUSIVE},    {O_TRUNC, FS_OPEN_TRUNCATE},      {O_CLOEXEC, FS_OPEN_CLOEXEC},
        {O_NOFOLLOW, FS_OPEN_NOFOLLOW}, {O_DIRECTORY, FS_OPEN_DIRECTORY},
    };
    uint64_t result = 0;

    if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_ACCMODE) == O_RDWR)
        result |= FS_OPEN_READ;
    if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR)
        result |= FS_OPEN_WRITE;
    for (size_t i = 0; result && i < sizeof(table) / sizeof(table[0]); i++)
        if (flags & table[i].posix)
            result |= table[i].fs;
    return result;
}

/* The descriptor that a path of /dev stands for; -1: it stands for none. */
static int descriptor_of(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    char *end;

    for (int file = 0; file < 3; file++)
        if (strcmp(path, names[file]) == 0)
            return file;
    if (strncmp(path, "/dev/fd/", 8) != 0 || path[8] < '0' || path[8] > '9')
        return -1;
    const long number = strtol(path + 8, &end, 10);
    return *end == '\0' && number < (long)FS_HANDLES ? (int)number : -1;
}

int file_open(int directory, const char *path, int flags, mode_t mode)
{
    const uint64_t wanted = open_flags(flags);
    char absolute[FS_PATH_BYTES];
    uint64_t kind = 0;

    if (!wanted)
        return -EINVAL;
    long error = path_absolute(directory, path, absolute);
    if (error < 0)
        return (int)error;
    const int same = descriptor_of(absolute);
    if (same >= 0)
        return file_control(same, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    const int file = file_reserve(0);
    if (file < 0)
        return file;
    error =
        files_error(fs_open(SLOT_FS, (uint64_t)file, wanted, mode_masked(mode), absolute, strlen(absolute) + 1, &kind));
    file_settle(file, error < 0 ? FILE_CLOSED : file_kind_of(kind));
    return error < 0 ? (int)error : file;
}

int _open(const char *path, int flags, int mode)
{
    return (int)posix_result(file_open(AT_FDCWD, path, flags, (mode_t)mode));
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list rest;

    va_start(rest, flags);
    if (flags & O_CREAT)
        mode = va_arg(rest, mode_t);
    va_end(rest);
    return (int)posix_result(file_open(directory, path, flags, mode));
}

int creat(const char *path, mode_t mode)
{
    return (int)posix_result(file_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode));
}

static size_t part_of(size_t bytes)
{
    return bytes < PROTO_DATA_MAX ? bytes : PROTO_DATA_MAX;
}

/* What one message asks for. Where `offset` is null the description's own counts. */
struct transfer {
    int file;
    void *data; /* of a write it is only read */
    size_t bytes;
    const uint64_t *offset;
};

static int send_read(const struct transfer *asked, uint64_t *done)
{
    const uint64_t file = (uint64_t)asked->file;

    if (asked->offset)
        return fs_read_at(SLOT_FS, file, *asked->offset, asked->data, part_of(asked->bytes), done);
    return fs_read(SLOT_FS, file, asked->data, part_of(asked->bytes), done);
}

static int send_write(const struct transfer *asked, uint64_t *done)
{
    const uint64_t file = (uint64_t)asked->file;

    if (asked->offset)
        return fs_write_at(SLOT_FS, file, *asked->offset, asked->data, part_of(asked->bytes), done);
    return fs_write(SLOT_FS, file, asked->data, part_of(asked->bytes), done);
}

/* One message; repeated while too many others wait, after handlers that let it go on, and when a pipe has room again. */
static long send_message(const struct transfer *asked, bool writes)
{
    const uint64_t interruptions = signals_that_interrupt();
    uint64_t done = 0;
    int error;

    do {
        error = writes ? send_write(asked, &done) : send_read(asked, &done);
        if (error == -EBUSY)
            files_pause();
    } while (error == -EBUSY || (error == -EINTR && interruptions == signals_that_interrupt()) ||
             (writes && error == 0 && done == 0 && asked->bytes > 0));
    return error < 0 ? error : (long)done;
}

static long read_message(int file, void *data, size_t bytes, const uint64_t *offset)
{
    const long got = send_message(&(struct transfer){file, data, bytes, offset}, false);
    return got == -EPIPE ? -EIO : got; /* there is no file server */
}

static long write_message(int file, const void *data, size_t bytes, const uint64_t *offset)
{
    const long written = send_message(&(struct transfer){file, (void *)data, bytes, offset}, true);

    if (written == -EPIPE)
        (void)raise(SIGPIPE);
    return written;
}

/* One request of at most *asked bytes, which is set to as many as it asked for. */
static long read_part(int file, void *data, size_t *asked, bool is_stored, const uint64_t *offset)
{
    long got = -ENXIO;

    if (is_stored && *asked > PROTO_DATA_MAX)
        got = transfer_read(file, data, *asked, offset);
    if (got != -ENXIO) {
        *asked = *asked < FS_TRANSFER_BYTES ? *asked : FS_TRANSFER_BYTES;
        return got;
    }
    *asked = part_of(*asked);
    return read_message(file, data, *asked, offset);
}

static long write_part(int file, const void *data, size_t bytes, bool is_stored, const uint64_t *offset)
{
    long written = -ENXIO;

    if (is_stored && bytes > PROTO_DATA_MAX)
        written = transfer_write(file, data, bytes, offset);
    return written == -ENXIO ? write_message(file, data, bytes, offset) : written;
}

/* Reads until all is there, or a part comes out short; of what is not stored one part. */
static long read_all(int file, void *data, size_t bytes, bool is_stored, const uint64_t *offset)
{
    size_t done = 0;

    do {
        const uint64_t place = offset ? *offset + done : 0;
        size_t asked = bytes - done;
        const long got = read_part(file, (char *)data + done, &asked, is_stored, offset ? &place : NULL);
        if (got < 0)
            return done > 0 ? (long)done : got;
        done += (size_t)got;
        if ((size_t)got < asked)
            break;
    } while (is_stored && done < bytes);
    return (long)done;
}

static long write_all(int file, const void *data, size_t bytes, bool is_stored, const uint64_t *offset)
{
    size_t done = 0;

    do {
        const uint64_t place = offset ? *offset + done : 0;
        const long written =
            write_part(file, (const char *)data + done, bytes - done, is_stored, offset ? &place : NULL);
        if (written < 0)
            return done > 0 ? (long)done : written;
        done += (size_t)written;
    } while (done < bytes);
    return (long)done;
}

ssize_t _read(int file, void *data, size_t bytes)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return posix_result(kind);
    if (bytes > SSIZE_MAX)
        return posix_result(-EINVAL);
    if (is_console(kind))
        return posix_result(console_read_bytes(data, bytes));
    return posix_result(read_all(file, data, bytes, kind == FILE_STORED, NULL));
}

ssize_t _write(int file, const void *data, size_t bytes)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return posix_result(kind);
    if (bytes > SSIZE_MAX)
        return posix_result(-EINVAL);
    if (is_console(kind))
        return posix_result(console_write_bytes((enum file_kind)kind, data, bytes));
    return posix_result(write_all(file, data, bytes, kind == FILE_STORED, NULL));
}

/* Whether a request at an offset can be. */
static int check_place(int file, size_t bytes, off_t offset)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return kind;
    if (kind != FILE_STORED)
        return -ESPIPE;
    return offset < 0 || bytes > SSIZE_MAX ? -EINVAL : 0;
}

ssize_t pread(int file, void *data, size_t bytes, off_t offset)
{
    const uint64_t place = (uint64_t)offset;
    const int error = check_place(file, bytes, offset);

    return posix_result(error < 0 ? error : read_all(file, data, bytes, true, &place));
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset)
{
    const uint64_t place = (uint64_t)offset;
    const int error = check_place(file, bytes, offset);

    return posix_result(error < 0 ? error : write_all(file, data, bytes, true, &place));
}

/* How many bytes the vector names; EINVAL: too many. */
static long vector_bytes(const struct iovec *vector, int count)
{
    size_t sum = 0;

    if (count <= 0 || count > IOV_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(sum, vector[i].iov_len, &sum) || sum > SSIZE_MAX)
            return -EINVAL;
    return (long)sum;
}

static ssize_t transfer_piece(int file, const struct iovec *piece, const off_t *offset, bool writes)
{
    if (offset)
        return writes ? pwrite(file, piece->iov_base, piece->iov_len, *offset)
                      : pread(file, piece->iov_base, piece->iov_len, *offset);
    return writes ? _write(file, piece->iov_base, piece->iov_len) : _read(file, piece->iov_base, piece->iov_len);
}

/* Piece by piece, until one comes out short. Where `offset` is null the description's own counts. */
static ssize_t transfer_pieces(int file, const struct iovec *vector, int count, const off_t *offset, bool writes)
{
    ssize_t done = 0;

    for (int i = 0; i < count; i++) {
        const off_t place = offset ? *offset + done : 0;
        const ssize_t part = transfer_piece(file, &vector[i], offset ? &place : NULL, writes);
        if (part < 0)
            return done > 0 ? done : part;
        done += part;
        if ((size_t)part < vector[i].iov_len)
            break;
    }
    return done;
}

static ssize_t transfer_vector(int file, const struct iovec *vector, int count, const off_t *offset, bool writes)
{
    const long bytes = vector_bytes(vector, count);

    return bytes < 0 ? posix_result(bytes) : transfer_pieces(file, vector, count, offset, writes);
}

ssize_t readv(int file, const struct iovec *vector, int count)
{
    return transfer_vector(file, vector, count, NULL, false);
}

ssize_t writev(int file, const struct iovec *vector, int count)
{
    const long bytes = vector_bytes(vector, count);
    char together[PROTO_DATA_MAX];
    size_t used = 0;

    if (bytes < 0)
        return posix_result(bytes);
    if (bytes > (long)sizeof(together))
        return transfer_pieces(file, vector, count, NULL, true);
    /* What fits into one message is written at once, so that writers do not mix. */
    for (int i = 0; i < count; i++) {
        memcpy(together + used, vector[i].iov_base, vector[i].iov_len);
        used += vector[i].iov_len;
    }
    return _write(file, together, used);
}

ssize_t preadv(int file, const struct iovec *vector, int count, off_t offset)
{
    return transfer_vector(file, vector, count, &offset, false);
}

ssize_t pwritev(int file, const struct iovec *vector, int count, off_t offset)
{
    return transfer_vector(file, vector, count, &offset, true);
}

off_t _lseek(int file, off_t offset, int from)
{
    static const uint64_t origins[] = {[SEEK_SET] = FS_FROM_START, [SEEK_CUR] = FS_FROM_HERE, [SEEK_END] = FS_FROM_END};
    const int kind = file_kind(file);
    uint64_t place = 0;

    if (kind < 0)
        return posix_result(kind);
    if (kind != FILE_STORED)
        return posix_result(-ESPIPE);
    if (from < SEEK_SET || from > SEEK_END)
        return posix_result(-EINVAL);
    const int error = fs_seek(SLOT_FS, (uint64_t)file, offset, origins[from], &place);
    return error < 0 ? posix_result(error == -EPIPE ? -EIO : error) : (off_t)place;
}

int ftruncate(int file, off_t length)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return (int)posix_result(kind);
    if (kind != FILE_STORED || length < 0)
        return (int)posix_result(-EINVAL);
    const int error = fs_truncate(SLOT_FS, (uint64_t)file, (uint64_t)length);
    return (int)posix_result(error == -EPIPE ? -EIO : error);
}

int truncate(const char *path, off_t length)
{
    char absolute[FS_PATH_BYTES];
    long error = length < 0 ? -EINVAL : path_absolute(AT_FDCWD, path, absolute);

    if (error == 0)
        error = files_error(fs_path_truncate(SLOT_FS, (uint64_t)length, absolute, strlen(absolute) + 1));
    return (int)posix_result(error);
}

int fsync(int file)
{
    const int kind = file_kind(file);

    if (kind == FILE_STORED)
        return (int)posix_result(files_error(fs_sync(SLOT_FS, (uint64_t)file)));
    return (int)posix_result(kind < 0 ? kind : -EINVAL);
}

int fdatasync(int file)
{
    const int kind = file_kind(file);

    if (kind == FILE_STORED)
        return (int)posix_result(files_error(fs_sync_data(SLOT_FS, (uint64_t)file)));
    return (int)posix_result(kind < 0 ? kind : -EINVAL);
}

_Static_assert(POSIX_FADV_NORMAL == FS_ADVICE_NORMAL && POSIX_FADV_RANDOM == FS_ADVICE_RANDOM &&
                   POSIX_FADV_SEQUENTIAL == FS_ADVICE_SEQUENTIAL && POSIX_FADV_WILLNEED == FS_ADVICE_WILL_NEED &&
                   POSIX_FADV_DONTNEED == FS_ADVICE_DONT_NEED && POSIX_FADV_NOREUSE == FS_ADVICE_NO_REUSE,
               "advice is the protocol's");

int posix_fadvise(int file, off_t offset, off_t length, int advice)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return -kind;
    if (kind != FILE_STORED)
        return ESPIPE;
    if (offset < 0 || length < 0)
        return EINVAL;
    return (int)-files_error(
        fs_advise(SLOT_FS, (uint64_t)file, (uint64_t)offset, (uint64_t)length, (uint64_t)(unsigned)advice));
}

void sync(void)
{
    /* There is nobody to tell: a server that could not write says so to whoever asks for his own file. */
    (void)!files_error(fs_sync(SLOT_FS, FS_SYNC_ALL));
}

int file_map_object(int file, int protection, uint64_t *object)
{
    const int kind = file_kind(file);

    if (kind < 0)
        return kind;
    if (kind != FILE_STORED)
        return -ENODEV;
    const int error = fs_map_object(SLOT_FS, (uint64_t)file, (uint64_t)(unsigned)protection, object);
    return error == -EPIPE ? -EIO : error;
}
