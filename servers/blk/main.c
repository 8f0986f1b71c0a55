/* SPDX-License-Identifier: MIT */
/*
 * The block server's loop. One endpoint brings requests and, by the notification that root has bound to it, interrupts
 * and the news that programs have ended, so one thread serves all.
 */
#include "server.h"

#include <proto/root_client.h>
#include <stdlib.h>

static struct blk_context server;

static void handle_events(struct blk_context *context, uint64_t events)
{
    for (unsigned i = 0; i < context->disk_count; i++) {
        if (events >> i & 1)
            disk_interrupt(context, &context->disks[i]);
        if (events & BLK_EVENT_TICK)
            disk_check_patience(context, &context->disks[i]);
    }
    if ((events & BLK_EVENT_ENDED) || context->settling)
        programs_settle(context);
}

/* Has a message handled; true if it now holds a reply. */
static bool serve(struct blk_context *context, struct message *message)
{
    if (MSG_FLAGS(message->tag) & MSG_FLAG_NOTIFICATION) {
        handle_events(context, message->words[0]);
        return false;
    }
    return blk_dispatch(context, message) == PROTO_REPLY;
}

static long receive(struct blk_context *context, struct message *message, bool reply)
{
    ipc_buffer()->receive_slots[0] = context->arriving;
    return reply ? sys_reply_recv(context->reply, SLOT_SERVE, message) : sys_recv(context->reply, SLOT_SERVE, message);
}

int main(int argument_count, char **arguments)
{
    static const char complaint[] = "blk: cannot receive\n";
    struct message message;
    bool reply = false;

    server_start(&server, argument_count, arguments);
    for (;;) {
        const long error = receive(&server, &message, reply);
        if (error == 0) {
            reply = serve(&server, &message);
            sessions_tell(&server);
        } else if (reply) {
            reply = false; /* a caller that is gone needs no reply; receiving alone must work */
        } else {
            (void)!root_log(SLOT_ROOT, complaint, sizeof(complaint) - 1);
            return EXIT_FAILURE;
        }
    }
}
