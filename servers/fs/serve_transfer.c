/* SPDX-License-Identifier: MIT */
/*
 * Long reads and writes: the bytes lie in memory that the server shares with the program, and messages only tell of them.
 * The program may change them at any time; they are copied once and never looked at.
 */
#include "server.h"

#include <proto/memsrv_client.h>

#include "memory.h"

#define TRANSFER_PAGES (FS_TRANSFER_BYTES / PAGE_SIZE)

_Static_assert(FS_TRANSFER_BYTES % PAGE_SIZE == 0, "a buffer is whole pages");

void transfer_release(struct client *client)
{
    if (!client->transfer)
        return;
    (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)client->transfer, FS_TRANSFER_BYTES);
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, client->transfer_object);
    client->transfer = NULL;
    client->transfer_object = 0;
}

/* Makes a program's buffer. All its pages are taken here, where that can fail. */
static int transfer_make(struct client *client)
{
    uint64_t object, address;

    if (!fs_is_room(TRANSFER_PAGES) || memsrv_object_memory_create(SLOT_MEMSRV, FS_TRANSFER_BYTES, &object) < 0)
        return -ENOSPC;
    if (memsrv_map_object(SLOT_MEMSRV, 0, FS_TRANSFER_BYTES, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE,
                          MEMSRV_MAP_SHARED, object, 0, &address) < 0) {
        (void)!memsrv_object_memory_release(SLOT_MEMSRV, object);
        return -ENOSPC;
    }
    client->transfer = (char *)address;
    client->transfer_object = object;
    if (memsrv_advise(SLOT_MEMSRV, address, FS_TRANSFER_BYTES, MEMSRV_ADVICE_POPULATE_WRITE) < 0) {
        transfer_release(client);
        return -ENOSPC;
    }
    return 0;
}

int fs_handle_transfer_buffer(struct fs_context *context, const struct message *request, uint64_t *object)
{
    struct client *client = client_of(context, request);

    if (!client || (!client->transfer && transfer_make(client) < 0))
        return -ENOSPC;
    *object = client->transfer_object;
    return memsrv_object_memory_grant(SLOT_MEMSRV, *object, client->pid, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE) < 0
               ? -ENOSPC
               : 0;
}

/* The buffer and the description of a transfer. */
static int transfer_check(struct fs_context *context, const struct message *request, uint64_t number, uint32_t use,
                          uint64_t offset, char **buffer, struct description **description)
{
    const struct client *client = client_find(&context->table, request->badge & ~BADGE_PRIVILEGED);
    const int error = description_for(context, request, number, use, description);

    if (error < 0)
        return error;
    if (!client->transfer)
        return -ENXIO;
    *buffer = client->transfer;
    if ((*description)->pipe)
        return -ESPIPE;
    return offset > INT64_MAX && offset != FS_TRANSFER_HERE ? -EINVAL : 0;
}

static size_t limited(uint64_t bytes)
{
    return bytes < FS_TRANSFER_BYTES ? bytes : FS_TRANSFER_BYTES;
}

int fs_handle_transfer_read(struct fs_context *context, const struct message *request, uint64_t number, uint64_t offset,
                            uint64_t bytes, uint64_t *got)
{
    const bool here = offset == FS_TRANSFER_HERE;
    struct description *description;
    char *buffer;

    const int error = transfer_check(context, request, number, DESCRIPTION_READ, offset, &buffer, &description);
    if (error < 0)
        return error;
    const long done = read_here(context, description, here ? description->offset : offset, buffer, limited(bytes));
    if (done < 0)
        return (int)done;
    if (here)
        description->offset += (uint64_t)done;
    *got = (uint64_t)done;
    return 0;
}

int fs_handle_transfer_write(struct fs_context *context, const struct message *request, uint64_t number,
                             uint64_t offset, uint64_t bytes, uint64_t *written)
{
    const bool here = offset == FS_TRANSFER_HERE;
    struct description *description;
    char *buffer;

    const int error = transfer_check(context, request, number, DESCRIPTION_WRITE, offset, &buffer, &description);
    if (error < 0)
        return error;
    uint64_t place = here ? description->offset : offset;
    const long done = write_here(context, description, &place, buffer, limited(bytes));
    if (done < 0)
        return (int)done;
    if (here)
        description->offset = place + (uint64_t)done;
    *written = (uint64_t)done;
    return 0;
}
