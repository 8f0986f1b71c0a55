/* SPDX-License-Identifier: MIT */
/*
 * Operations about programs, handles and descriptions.
 */
#include "server.h"

#include <proto/memsrv_client.h>
#include <proto/memsrv_handover.h>

#define STATUS_FLAGS (FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_APPEND | FS_OPEN_NONBLOCK)
#define OPEN_FLAGS                                                                                                     \
    (STATUS_FLAGS | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_OPEN_TRUNCATE | FS_OPEN_DIRECTORY | FS_OPEN_NOFOLLOW |     \
     FS_OPEN_CLOEXEC)

_Static_assert(FS_OPEN_READ == DESCRIPTION_READ && FS_OPEN_WRITE == DESCRIPTION_WRITE &&
                   FS_OPEN_APPEND == DESCRIPTION_APPEND && FS_OPEN_NONBLOCK == DESCRIPTION_NONBLOCK,
               "flags of descriptions are the protocol's");
_Static_assert(FS_KIND_FILE == DESCRIPTION_FILE && FS_KIND_DIRECTORY == DESCRIPTION_DIRECTORY &&
                   FS_KIND_PIPE == DESCRIPTION_PIPE && FS_KIND_DEVICE == DESCRIPTION_DEVICE &&
                   FS_KIND_CONSOLE == DESCRIPTION_CONSOLE && FS_KIND_CONSOLE_ERROR == DESCRIPTION_CONSOLE_ERROR,
               "kinds of descriptions are the protocol's");
_Static_assert(FS_HANDLES == HANDLE_COUNT && FS_PIPE_BYTES == PIPE_BYTES && FS_PIPE_BUF == PIPE_BUF_BYTES &&
                   FS_PATH_BYTES == TREE_PATH_BYTES && FS_NAME_MAX == FILE_NAME_MAX &&
                   FS_FILE_BYTES_MAX == STORAGE_BYTES_MAX,
               "limits are the protocol's");

struct client *client_of(struct fs_context *context, const struct message *request)
{
    const uint64_t pid = request->badge & ~BADGE_PRIVILEGED;
    struct client *client = client_find(&context->table, pid);

    return client ? client : client_new(&context->table, pid);
}

int description_of(struct fs_context *context, const struct message *request, uint64_t number,
                   struct description **description)
{
    const struct client *client = client_find(&context->table, request->badge & ~BADGE_PRIVILEGED);

    if (!client || number >= HANDLE_COUNT || !client->handles[number].description)
        return -EBADF;
    *description = client->handles[number].description;
    return 0;
}

/* A new handle: EBADF if it cannot be, EBUSY if it is open. */
static int check_new_handle(const struct client *client, uint64_t number)
{
    if (number >= HANDLE_COUNT)
        return -EBADF;
    return client->handles[number].description ? -EBUSY : 0;
}

/* Makes a program known: with the handles of the parent that forked it, if that is known, otherwise with the console's.
 * NULL: no memory. */
static struct client *client_begin(struct fs_context *context, uint64_t pid, uint64_t parent)
{
    const struct client *from = parent ? client_find(&context->table, parent) : NULL;
    struct client *client = client_new(&context->table, pid);

    if (client && from) {
        client_fork(client, from);
    } else if (client && client_open_console(&context->table, client) < 0) {
        client_free(&context->table, client);
        return NULL;
    }
    return client;
}

int fs_handle_attach(struct fs_context *context, const struct message *request, uint64_t cursor, uint64_t forked,
                     uint64_t *next, struct fs_handle *handles, size_t handles_capacity, size_t *handles_count)
{
    const uint64_t pid = request->badge & ~BADGE_PRIVILEGED;
    struct client *client = client_find(&context->table, pid);
    uint64_t parent = 0;

    if (!client) {
        (void)!memsrv_space_parent(SLOT_MEMSRV, pid, &parent);
        client = client_begin(context, pid, parent);
        if (!client)
            return -ENOMEM;
    } else if (cursor == 0 && !forked) {
        /* A program asks once, so this is one that another has executed. */
        client_close_executing(&context->table, client);
    }
    for (; cursor < client->handle_end && *handles_count < handles_capacity; cursor++) {
        const struct handle *handle = &client->handles[cursor];
        if (!handle->description)
            continue;
        handles[(*handles_count)++] =
            (struct fs_handle){.number = cursor,
                               .kind = handle->description->kind,
                               .flags = handle->description->flags | (handle->cloexec ? FS_OPEN_CLOEXEC : 0)};
    }
    *next = cursor < client->handle_end ? cursor : 0;
    return 0;
}

/* The flags of an open as the tree knows them. */
static unsigned open_flags(uint64_t flags)
{
    return (flags & FS_OPEN_CREATE ? OPEN_CREATE : 0) | (flags & FS_OPEN_EXCLUSIVE ? OPEN_EXCLUSIVE : 0) |
           (flags & FS_OPEN_TRUNCATE ? OPEN_TRUNCATE : 0) | (flags & FS_OPEN_DIRECTORY ? OPEN_DIRECTORY : 0) |
           (flags & FS_OPEN_NOFOLLOW ? OPEN_NOFOLLOW : 0) | (flags & FS_OPEN_WRITE ? OPEN_WRITE : 0);
}

int fs_handle_open(struct fs_context *context, const struct message *request, uint64_t number, uint64_t flags,
                   uint64_t mode, const void *path, size_t path_bytes, uint64_t *kind)
{
    struct client *client = client_of(context, request);
    struct inode *inode;

    if (path_bytes == 0 || memchr(path, 0, path_bytes) != (const char *)path + path_bytes - 1)
        return -EINVAL;
    if ((flags & ~OPEN_FLAGS) || !(flags & (FS_OPEN_READ | FS_OPEN_WRITE)))
        return -EINVAL;
    if (!client)
        return -ENFILE;
    int error = check_new_handle(client, number);
    if (error == 0)
        error = tree_open(&context->tree, path, open_flags(flags), (uint32_t)mode & MODE_BITS, &inode);
    if (error < 0)
        return error;
    struct description *description = description_new(&context->table, inode, (uint32_t)(flags & STATUS_FLAGS));
    if (!description) {
        /* A file that was just made stays, empty; who asks again finds it. */
        inode_put(inode);
        return -ENFILE;
    }
    handle_set(client, number, description, (flags & FS_OPEN_CLOEXEC) != 0);
    *kind = description->kind;
    return 0;
}

int fs_handle_close(struct fs_context *context, const struct message *request, uint64_t number)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error == 0)
        handle_close(&context->table, client_of(context, request), number);
    return error;
}

int fs_handle_duplicate(struct fs_context *context, const struct message *request, uint64_t number, uint64_t to,
                        uint64_t flags)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0 || to >= HANDLE_COUNT)
        return -EBADF;
    if (flags & ~FS_OPEN_CLOEXEC)
        return -EINVAL;
    if (to == number)
        return 0;
    struct client *client = client_of(context, request);
    description->references++;
    if (client->handles[to].description)
        handle_close(&context->table, client, to);
    handle_set(client, to, description, flags != 0);
    return 0;
}

int fs_handle_get_flags(struct fs_context *context, const struct message *request, uint64_t number, uint64_t *flags)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error == 0)
        *flags = description->flags | (client_of(context, request)->handles[number].cloexec ? FS_OPEN_CLOEXEC : 0);
    return error;
}

int fs_handle_set_flags(struct fs_context *context, const struct message *request, uint64_t number, uint64_t flags)
{
    const uint32_t changeable = DESCRIPTION_APPEND | DESCRIPTION_NONBLOCK;
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error == 0)
        description->flags = (description->flags & ~changeable) | ((uint32_t)flags & changeable);
    return error;
}

int fs_handle_set_cloexec(struct fs_context *context, const struct message *request, uint64_t number, uint64_t flags)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error == 0)
        client_of(context, request)->handles[number].cloexec = (flags & FS_OPEN_CLOEXEC) != 0;
    return error;
}

int fs_handle_pipe(struct fs_context *context, const struct message *request, uint64_t reader, uint64_t writer,
                   uint64_t flags)
{
    struct client *client = client_of(context, request);
    struct description *reader_end, *writer_end;

    if (reader == writer || (flags & ~(FS_OPEN_NONBLOCK | FS_OPEN_CLOEXEC)))
        return -EINVAL;
    if (!client)
        return -ENFILE;
    int error = check_new_handle(client, reader);
    if (error == 0)
        error = check_new_handle(client, writer);
    if (error == 0)
        error = description_pipe(&context->table, (uint32_t)(flags & FS_OPEN_NONBLOCK), &reader_end, &writer_end);
    if (error < 0)
        return error;
    handle_set(client, reader, reader_end, (flags & FS_OPEN_CLOEXEC) != 0);
    handle_set(client, writer, writer_end, (flags & FS_OPEN_CLOEXEC) != 0);
    return 0;
}

static void client_end(struct fs_context *context, struct client *client)
{
    waiters_forget(context, client->pid);
    watches_forget(context, client->pid);
    transfer_release(client);
    client_free(&context->table, client);
}

void clients_ended(struct fs_context *context, uint64_t events)
{
    uint64_t parent;

    LIST_FOR_EACH_SAFE(link, &context->table.clients)
    {
        struct client *client = CONTAINER_OF(link, struct client, link);
        if ((memsrv_event(client->pid) & events) && memsrv_space_parent(SLOT_MEMSRV, client->pid, &parent) == -ESRCH)
            client_end(context, client);
    }
}

int fs_handle_process_forked(struct fs_context *context, const struct message *request, uint64_t child)
{
    const uint64_t caller = request->badge & ~BADGE_PRIVILEGED;
    uint64_t parent = 0;

    if (client_find(&context->table, child))
        return -EEXIST;
    /* A child that has ended meanwhile must not be made known: nobody would tell of its end again. */
    if (memsrv_space_parent(SLOT_MEMSRV, child, &parent) < 0 || parent != caller)
        return -EPERM;
    /* A parent that has never asked for its handles has those that it would find. */
    return client_begin(context, child, caller) ? 0 : -ENOMEM;
}

int fs_handle_process_executed(struct fs_context *context, const struct message *request, uint64_t pid)
{
    struct client *client = client_find(&context->table, pid);

    if (client)
        client_close_executing(&context->table, client);
    return 0;
}

int fs_handle_process_ended(struct fs_context *context, const struct message *request, uint64_t pid)
{
    struct client *client = client_find(&context->table, pid);

    if (client)
        client_end(context, client);
    return 0;
}
