/* SPDX-License-Identifier: MIT */
/* What the pager asks of files: see blocks.h. */
#include "blocks.h"

#include <errno.h>
#include <proto/blocks_dispatch.h>
#include <proto/fs_start.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <quire/slots.h>

#include "ext2_blocks.h"

#define STACK_BYTES 65536u

struct blocks_context {
    struct ext2 *ext2;
    uint64_t volume;
    uint64_t reply; /* slot of the reply object that holds the caller */
};

static struct blocks_context context;

_Static_assert(sizeof(struct ext2_run) == sizeof(struct blocks_run) && EXT2_RUN_HOLE == BLOCKS_HOLE &&
                   EXT2_RUN_SERVED == BLOCKS_SERVED,
               "runs are the protocol's");

int blocks_handle_map(struct blocks_context *server, const struct message *request, uint64_t cookie, uint64_t index,
                      uint64_t count, uint64_t allocate, uint64_t *volume, struct blocks_run *runs,
                      size_t runs_capacity, size_t *runs_count)
{
    if (!server->ext2)
        return -ENOENT;
    if (count == 0 || runs_capacity == 0)
        return -EINVAL;
    *volume = server->volume;
    return ext2_blocks_map(server->ext2, cookie, index, count, allocate != 0, (struct ext2_run *)runs, runs_capacity,
                           runs_count);
}

int blocks_handle_read(struct blocks_context *server, const struct message *request, uint64_t cookie, uint64_t offset,
                       void *content, size_t content_capacity, size_t *content_bytes)
{
    if (!server->ext2)
        return -ENOENT;
    if (offset % BLOCKS_PART_BYTES || content_capacity < BLOCKS_PART_BYTES)
        return -EINVAL;
    const int error = ext2_blocks_read(server->ext2, cookie, offset, content, BLOCKS_PART_BYTES);
    *content_bytes = error == 0 ? BLOCKS_PART_BYTES : 0;
    return error;
}

int blocks_handle_write(struct blocks_context *server, const struct message *request, uint64_t cookie, uint64_t offset,
                        const void *content, size_t content_bytes)
{
    if (!server->ext2)
        return -ENOENT;
    if (offset % BLOCKS_PART_BYTES || content_bytes != BLOCKS_PART_BYTES)
        return -EINVAL;
    return ext2_blocks_write(server->ext2, cookie, offset, content, BLOCKS_PART_BYTES);
}

static void *serve(void *argument)
{
    struct message message = {0};
    bool reply = false;

    for (;;) {
        const long error = reply ? sys_reply_recv(context.reply, FS_SLOT_BLOCKS, &message)
                                 : sys_recv(context.reply, FS_SLOT_BLOCKS, &message);
        if (error == 0)
            reply = blocks_dispatch(&context, &message) == PROTO_REPLY;
        else if (reply)
            reply = false; /* the pager is gone; receiving alone must work */
        else
            return argument;
    }
}

int blocks_start(struct ext2 *ext2, uint64_t volume)
{
    pthread_attr_t attributes;
    pthread_t thread;
    uint64_t identifier;

    context = (struct blocks_context){.ext2 = ext2, .volume = volume, .reply = slot_allocate()};
    if (context.reply == SLOT_NONE || memsrv_object_create(SLOT_MEMSRV, CAP_REPLY, &identifier, context.reply) < 0)
        return -ENOMEM;
    int error = pthread_attr_init(&attributes);
    if (error == 0)
        error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (error == 0)
        error = pthread_create(&thread, &attributes, serve, NULL);
    return -error;
}
