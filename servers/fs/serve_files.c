/* SPDX-License-Identifier: MIT */
/*
 * Operations on what is open: content, status, directories.
 */
#include "server.h"

#include <proto/memsrv_client.h>

#include "device.h"
#include "memory.h"
#include "serve_status.h"

int description_for(struct fs_context *context, const struct message *request, uint64_t number, uint32_t use,
                    struct description **description)
{
    const int error = description_of(context, request, number, description);

    if (error < 0)
        return error;
    return (*description)->flags & use ? 0 : -EBADF;
}

static int read_pipe(struct fs_context *context, const struct message *request, struct description *description,
                     void *content, size_t capacity, size_t *count)
{
    struct pipe *pipe = description->pipe;

    *count = pipe_peek(pipe, content, capacity);
    if (*count > 0) {
        pipe_drop(pipe, *count);
        context->table.pipes_changed = true;
        return 0;
    }
    if (capacity == 0 || pipe->writers == 0)
        return 0;
    if (description->flags & DESCRIPTION_NONBLOCK)
        return -EAGAIN;
    return waiter_park(context, request, description, capacity);
}

long read_here(struct fs_context *context, struct description *description, uint64_t offset, void *content,
               size_t capacity)
{
    switch (description->kind) {
    case DESCRIPTION_FILE:
        return inode_read(description->inode, offset, content, capacity);
    case DESCRIPTION_DEVICE:
        return (long)device_read(description->inode->device, content, capacity);
    case DESCRIPTION_DIRECTORY:
        return -EISDIR;
    case DESCRIPTION_PIPE:
        return -ESPIPE;
    default:
        return -EOPNOTSUPP;
    }
}

int fs_handle_read(struct fs_context *context, const struct message *request, uint64_t number, void *content,
                   size_t content_capacity, size_t *content_bytes)
{
    struct description *description;
    const int error = description_for(context, request, number, DESCRIPTION_READ, &description);

    if (error < 0)
        return error;
    if (description->pipe)
        return read_pipe(context, request, description, content, content_capacity, content_bytes);
    const long got = read_here(context, description, description->offset, content, content_capacity);
    if (got < 0)
        return (int)got;
    description->offset += (uint64_t)got;
    *content_bytes = (size_t)got;
    return 0;
}

int fs_handle_read_at(struct fs_context *context, const struct message *request, uint64_t number, uint64_t offset,
                      void *content, size_t content_capacity, size_t *content_bytes)
{
    struct description *description;
    const int error = description_for(context, request, number, DESCRIPTION_READ, &description);

    if (error < 0)
        return error;
    if (offset > INT64_MAX)
        return -EINVAL;
    const long got = read_here(context, description, offset, content, content_capacity);
    if (got < 0)
        return (int)got;
    *content_bytes = (size_t)got;
    return 0;
}

static int write_pipe(struct fs_context *context, const struct message *request, struct description *description,
                      const void *content, size_t bytes, uint64_t *written)
{
    struct pipe *pipe = description->pipe;
    const size_t room = pipe_room(pipe);

    if (bytes == 0)
        return 0;
    if (pipe->readers == 0)
        return -EPIPE;
    if (room < bytes && !(description->flags & DESCRIPTION_NONBLOCK))
        return waiter_park(context, request, description, bytes);
    if (room < bytes && (room == 0 || bytes <= PIPE_BUF_BYTES))
        return -EAGAIN;
    if (bytes > room)
        bytes = room;
    const int error = pipe_append(pipe, content, bytes);
    if (error < 0)
        return error;
    context->table.pipes_changed = true;
    *written = bytes;
    return 0;
}

long write_here(struct fs_context *context, struct description *description, uint64_t *offset, const void *content,
                size_t bytes)
{
    switch (description->kind) {
    case DESCRIPTION_FILE:
        if (description->flags & DESCRIPTION_APPEND)
            *offset = description->inode->size;
        return inode_write(description->inode, *offset, content, bytes);
    case DESCRIPTION_DEVICE:
        return device_write(description->inode->device, bytes);
    case DESCRIPTION_PIPE:
        return -ESPIPE;
    default:
        return -EOPNOTSUPP;
    }
}

int fs_handle_write(struct fs_context *context, const struct message *request, uint64_t number, const void *content,
                    size_t content_bytes, uint64_t *written)
{
    struct description *description;
    const int error = description_for(context, request, number, DESCRIPTION_WRITE, &description);

    if (error < 0)
        return error;
    if (description->pipe)
        return write_pipe(context, request, description, content, content_bytes, written);
    uint64_t offset = description->offset;
    const long done = write_here(context, description, &offset, content, content_bytes);
    if (done < 0)
        return (int)done;
    description->offset = offset + (uint64_t)done;
    *written = (uint64_t)done;
    return 0;
}

int fs_handle_write_at(struct fs_context *context, const struct message *request, uint64_t number, uint64_t offset,
                       const void *content, size_t content_bytes, uint64_t *written)
{
    struct description *description;
    const int error = description_for(context, request, number, DESCRIPTION_WRITE, &description);

    if (error < 0)
        return error;
    if (offset > INT64_MAX)
        return -EINVAL;
    const long done = write_here(context, description, &offset, content, content_bytes);
    if (done < 0)
        return (int)done;
    *written = (uint64_t)done;
    return 0;
}

int fs_handle_seek(struct fs_context *context, const struct message *request, uint64_t number, int64_t offset,
                   uint64_t origin, uint64_t *place)
{
    struct description *description;
    uint64_t base = 0;
    int64_t target;

    const int error = description_of(context, request, number, &description);
    if (error < 0)
        return error;
    if (description->kind != DESCRIPTION_FILE && description->kind != DESCRIPTION_DIRECTORY &&
        description->kind != DESCRIPTION_DEVICE)
        return -ESPIPE;
    if (origin == FS_FROM_HERE)
        base = description->offset;
    else if (origin == FS_FROM_END)
        base = description->kind == DESCRIPTION_FILE ? description->inode->size : 0;
    else if (origin != FS_FROM_START)
        return -EINVAL;
    if (__builtin_add_overflow((int64_t)base, offset, &target) || target < 0)
        return -EINVAL;
    description->offset = *place = (uint64_t)target;
    return 0;
}

int fs_handle_status(struct fs_context *context, const struct message *request, uint64_t number,
                     struct fs_status *status, size_t status_capacity, size_t *status_count)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0)
        return error;
    if (status_capacity == 0)
        return 0;
    if (description->inode)
        status_of_inode(description->inode, status);
    else if (description->pipe)
        status_of_pipe(description->pipe, status);
    else
        status_of_console(status);
    *status_count = 1;
    return 0;
}

int fs_handle_truncate(struct fs_context *context, const struct message *request, uint64_t number, uint64_t size)
{
    struct description *description;
    const int error = description_for(context, request, number, DESCRIPTION_WRITE, &description);

    if (error < 0)
        return error;
    if (description->kind != DESCRIPTION_FILE || size > INT64_MAX)
        return -EINVAL;
    return inode_truncate(description->inode, size);
}

/* What a lock is asked for: the file and whether the range can be. */
static int check_lock(struct fs_context *context, const struct message *request, uint64_t number, uint64_t type,
                      uint64_t first, uint64_t last, struct description **description)
{
    const int error = description_of(context, request, number, description);

    if (error < 0)
        return error;
    if ((*description)->kind != DESCRIPTION_FILE || first > last || type > FS_LOCK_EXCLUSIVE)
        return -EINVAL;
    return 0;
}

int fs_handle_lock(struct fs_context *context, const struct message *request, uint64_t number, uint64_t type,
                   uint64_t first, uint64_t last)
{
    struct description *description;
    const int error = check_lock(context, request, number, type, first, last, &description);

    if (error < 0)
        return error;
    if ((type == FS_LOCK_SHARED && !(description->flags & DESCRIPTION_READ)) ||
        (type == FS_LOCK_EXCLUSIVE && !(description->flags & DESCRIPTION_WRITE)))
        return -EBADF;
    return lock_set(&description->inode->locks, request->badge & ~BADGE_PRIVILEGED, (enum lock_type)type, first, last);
}

int fs_handle_lock_query(struct fs_context *context, const struct message *request, uint64_t number, uint64_t type,
                         uint64_t first, uint64_t last, uint64_t *type_out, uint64_t *owner, uint64_t *first_out,
                         uint64_t *last_out)
{
    struct description *description;
    const int error = check_lock(context, request, number, type, first, last, &description);

    if (error < 0)
        return error;
    const struct lock *lock = lock_conflict(&description->inode->locks, request->badge & ~BADGE_PRIVILEGED,
                                            (enum lock_type)type, first, last);
    *type_out = !lock ? FS_LOCK_NONE : lock->exclusive ? FS_LOCK_EXCLUSIVE : FS_LOCK_SHARED;
    if (lock) {
        *owner = lock->owner;
        *first_out = lock->first;
        *last_out = lock->last;
    }
    return 0;
}

_Static_assert(FS_LOCK_NONE == LOCK_NONE && FS_LOCK_SHARED == LOCK_SHARED && FS_LOCK_EXCLUSIVE == LOCK_EXCLUSIVE,
               "types of locks are the protocol's");

/* The inode of a handle; EINVAL: it has none. */
static int inode_of(struct fs_context *context, const struct message *request, uint64_t number, struct inode **inode)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0)
        return error;
    *inode = description->inode;
    return *inode ? 0 : -EINVAL;
}

int fs_handle_chmod(struct fs_context *context, const struct message *request, uint64_t number, uint64_t mode)
{
    struct inode *inode;
    const int error = inode_of(context, request, number, &inode);

    return error < 0 ? error : inode_chmod(inode, (uint32_t)mode);
}

int fs_handle_chown(struct fs_context *context, const struct message *request, uint64_t number, uint64_t user,
                    uint64_t group)
{
    struct inode *inode;
    const int error = inode_of(context, request, number, &inode);

    return error < 0 ? error : inode_chown(inode, (uint32_t)user, (uint32_t)group);
}

int fs_handle_times(struct fs_context *context, const struct message *request, uint64_t number, uint64_t accessed,
                    uint64_t modified)
{
    struct inode *inode;
    const int error = inode_of(context, request, number, &inode);

    return error < 0 ? error : inode_set_times(inode, accessed, modified);
}

/* The answer to a listing. */
struct list_answer {
    struct fs_directory_entry *entries;
    size_t capacity, count;
};

static bool list_add(void *argument, const struct listed *entry)
{
    struct list_answer *answer = argument;

    if (answer->count == answer->capacity)
        return false;
    struct fs_directory_entry *record = &answer->entries[answer->count++];
    *record = (struct fs_directory_entry){.inode = entry->number, .next = entry->cookie + 1, .mode = entry->type};
    memcpy(record->name, entry->name, entry->length);
    return true;
}

int fs_handle_list(struct fs_context *context, const struct message *request, uint64_t number, uint64_t cursor,
                   struct fs_directory_entry *entries, size_t entries_capacity, size_t *entries_count)
{
    struct list_answer answer = {.entries = entries, .capacity = entries_capacity};
    struct inode *directory;

    int error = inode_of(context, request, number, &directory);
    if (error == -EBADF)
        return error;
    if (error < 0 || !inode_is(directory, MODE_DIRECTORY))
        return -ENOTDIR;
    for (; cursor < 2 && answer.count < answer.capacity; cursor++) {
        const struct inode *named = cursor == 0 ? directory : tree_parent(&context->tree, directory);
        (void)!list_add(
            &answer,
            &(struct listed){
                .cookie = cursor, .number = named->number, .type = MODE_DIRECTORY, .length = cursor + 1, .name = ".."});
    }
    if (answer.count < answer.capacity)
        error = tree_list(&context->tree, directory, cursor, list_add, &answer);
    if (error < 0 && answer.count == 0)
        return error;
    *entries_count = answer.count;
    directory->accessed = directory->fs->now();
    return 0;
}

int fs_handle_directory_path(struct fs_context *context, const struct message *request, uint64_t number, void *path,
                             size_t path_capacity, size_t *path_bytes)
{
    struct inode *directory;
    const int error = inode_of(context, request, number, &directory);

    if (error == -EBADF)
        return error;
    if (error < 0 || !inode_is(directory, MODE_DIRECTORY))
        return -ENOTDIR;
    const int found = tree_directory_path(&context->tree, directory, path, path_capacity);
    if (found == 0)
        *path_bytes = strlen(path) + 1;
    return found;
}
