/* SPDX-License-Identifier: MIT */
/*
 * Operations that grant programs the content of files, to map or to execute it.
 */
#include "server.h"

#include <proto/memsrv_client.h>

#define MODE_EXECUTE 0111u /* anybody's */

/* What a program may do with a file's content by all the handles that it has to it: a later mapping must not take away
 * what an earlier one still needs. */
static uint64_t rights_of(const struct client *client, const struct inode *inode)
{
    uint64_t rights = MEMSRV_PROTECT_READ | MEMSRV_PROTECT_EXECUTE;

    for (size_t number = 0; number < client->handle_end; number++) {
        const struct description *description = client->handles[number].description;
        if (description && description->inode == inode && (description->flags & DESCRIPTION_WRITE))
            rights |= MEMSRV_PROTECT_WRITE;
    }
    return rights;
}

/* Lets a program map a file's content. */
static int grant(const struct client *client, struct inode *inode, uint64_t *object)
{
    const uint64_t rights = rights_of(client, inode);
    const int error = inode_object(inode, (rights & MEMSRV_PROTECT_WRITE) != 0, object);

    if (error < 0)
        return error;
    return memsrv_object_memory_grant(SLOT_MEMSRV, *object, client->pid, rights) < 0 ? -ENOMEM : 0;
}

int fs_handle_map_object(struct fs_context *context, const struct message *request, uint64_t number,
                         uint64_t protection, uint64_t *object)
{
    const uint64_t known = MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE | MEMSRV_PROTECT_EXECUTE;
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0)
        return error;
    if (protection & ~known)
        return -EINVAL;
    if (description->kind != DESCRIPTION_FILE)
        return -ENODEV;
    if (!(description->flags & DESCRIPTION_READ) ||
        ((protection & MEMSRV_PROTECT_WRITE) && !(description->flags & DESCRIPTION_WRITE)))
        return -EACCES;
    return grant(client_of(context, request), description->inode, object);
}

long prepare_program(struct fs_context *context, const struct message *request, struct inode *inode, void *head,
                     size_t capacity, uint64_t *object, uint64_t *closing)
{
    const struct client *client = client_of(context, request);

    if (!client)
        return -ENOMEM;
    if (!inode_is(inode, MODE_FILE) || !(inode->mode & MODE_EXECUTE))
        return -EACCES;
    *closing = client_executing_count(client);
    *object = 0;
    if (inode->size == 0)
        return 0;
    const int error = grant(client, inode, object);
    return error < 0 ? error : inode_read(inode, 0, head, capacity);
}

int fs_handle_opened_program(struct fs_context *context, const struct message *request, uint64_t number,
                             uint64_t *object, uint64_t *size, uint64_t *closing, void *head, size_t head_capacity,
                             size_t *head_bytes)
{
    struct description *description;
    const int error = description_of(context, request, number, &description);

    if (error < 0)
        return error;
    if (!description->inode)
        return -EACCES;
    const long got = prepare_program(context, request, description->inode, head, head_capacity, object, closing);
    if (got < 0)
        return (int)got;
    *size = description->inode->size;
    *head_bytes = (size_t)got;
    return 0;
}
