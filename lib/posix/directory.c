/* SPDX-License-Identifier: MIT */
/*
 * Directory streams: a buffer of entries, and the cursor of the file server behind each.
 */
#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <proto/fs_client.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct fs_directory_entry))

struct directory_stream {
    int file;
    uint64_t cursor;     /* of the next entry of the server that is not in `entries` */
    uint64_t place;      /* of the next entry that readdir() gives */
    size_t first, count; /* those of `entries` that readdir() has not given */
    struct dirent entry; /* what readdir() gave last */
    struct fs_directory_entry entries[ENTRIES_AT_ONCE];
};

static DIR *stream_new(int file)
{
    DIR *stream = malloc(sizeof(*stream));

    if (stream) {
        stream->file = file;
        rewinddir(stream);
    }
    return stream;
}

DIR *opendir(const char *path)
{
    const int file = file_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (file < 0) {
        errno = -file;
        return NULL;
    }
    DIR *stream = stream_new(file);
    if (!stream)
        close(file);
    return stream;
}

DIR *fdopendir(int file)
{
    struct stat status;

    if (fstat(file, &status) < 0)
        return NULL;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return NULL;
    }
    return stream_new(file);
}

int closedir(DIR *stream)
{
    const int file = stream->file;

    free(stream);
    return close(file);
}

int fdclosedir(DIR *stream)
{
    const int file = stream->file;

    free(stream);
    return file;
}

int dirfd(DIR *stream)
{
    return stream->file;
}

static unsigned char type_of(uint64_t mode)
{
    return (unsigned char)((mode & S_IFMT) >> 12);
}

/* Gets more entries; a negative errno, or how many. */
static long fill(DIR *stream)
{
    const int error =
        fs_list(SLOT_FS, (uint64_t)stream->file, stream->cursor, stream->entries, ENTRIES_AT_ONCE, &stream->count);

    if (error < 0) {
        stream->count = 0;
        return error == -EPIPE ? -EIO : error;
    }
    stream->first = 0;
    if (stream->count > ENTRIES_AT_ONCE)
        stream->count = ENTRIES_AT_ONCE;
    if (stream->count > 0)
        stream->cursor = stream->entries[stream->count - 1].next;
    return (long)stream->count;
}

struct dirent *readdir(DIR *stream)
{
    if (stream->first == stream->count) {
        const long got = fill(stream);
        if (got <= 0) {
            if (got < 0)
                errno = (int)-got;
            return NULL;
        }
    }
    const struct fs_directory_entry *from = &stream->entries[stream->first++];
    stream->place = from->next;
    stream->entry = (struct dirent){.d_ino = (ino_t)from->inode,
                                    .d_off = (off_t)from->next,
                                    .d_reclen = sizeof(stream->entry),
                                    .d_type = type_of(from->mode)};
    memcpy(stream->entry.d_name, from->name, sizeof(stream->entry.d_name) - 1);
    return &stream->entry;
}

int readdir_r(DIR *restrict stream, struct dirent *restrict entry, struct dirent **restrict result)
{
    const int before = errno;

    errno = 0;
    const struct dirent *next = readdir(stream);
    const int error = next ? 0 : errno;
    errno = before;
    if (next)
        *entry = *next;
    *result = next ? entry : NULL;
    return error;
}

void rewinddir(DIR *stream)
{
    seekdir(stream, 0);
}

long telldir(DIR *stream)
{
    return (long)stream->place;
}

void seekdir(DIR *stream, long place)
{
    stream->cursor = stream->place = (uint64_t)place;
    stream->first = stream->count = 0;
}

int alphasort(const struct dirent **one, const struct dirent **other)
{
    return strcoll((*one)->d_name, (*other)->d_name);
}

/* A copy of `entry` at the end of a list. */
static bool append(struct dirent ***list, size_t *count, const struct dirent *entry)
{
    struct dirent **longer = realloc(*list, (*count + 1) * sizeof(**list));

    if (!longer)
        return false;
    *list = longer;
    struct dirent *copy = malloc(sizeof(*copy));
    if (!copy)
        return false;
    *copy = *entry;
    (*list)[(*count)++] = copy;
    return true;
}

/* Reads all that `chosen` takes; ENOMEM, or readdir()'s error. */
static int collect(DIR *stream, int (*chosen)(const struct dirent *), struct dirent ***list, size_t *count)
{
    const struct dirent *entry;

    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        if (chosen && !chosen(entry))
            continue;
        if (!append(list, count, entry))
            return ENOMEM;
        errno = 0;
    }
    return errno;
}

int scandir(const char *path, struct dirent ***list, int (*chosen)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **))
{
    struct dirent **found = NULL;
    size_t count = 0;
    DIR *stream = opendir(path);

    if (!stream)
        return -1;
    const int error = collect(stream, chosen, &found, &count);
    closedir(stream);
    if (error) {
        while (count > 0)
            free(found[--count]);
        free(found);
        errno = error;
        return -1;
    }
    if (order && count > 0)
        qsort(found, count, sizeof(*found), (int (*)(const void *, const void *))order);
    *list = found;
    return (int)count;
}
