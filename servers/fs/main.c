/* SPDX-License-Identifier: MIT */
/*
 * The file server: start and main loop. One endpoint brings requests and, by the notification that root has bound to
 * it, the news that programs have ended, so one thread serves both. The server calls memsrv, root and the block server
 * alone.
 */
#include "server.h"

#include <proto/root_client.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <stdlib.h>

static struct fs_context server;

static _Noreturn void fail(const char *reason)
{
    (void)!root_log(SLOT_ROOT, reason, strlen(reason));
    exit(EXIT_FAILURE);
}

static void start(void)
{
    if (tmpfs_init(&server.tmpfs, clock_now_ns, seed_load) < 0)
        fail("fs: no memory\n");
    handles_init(&server.table, clock_now_ns);
    server.tree.base = &server.tmpfs.fs;
    server.reply = SLOT_REPLY;
    server.arrival = slot_allocate();
    if (seed(&server.tree) < 0)
        fail("fs: the boot archive's files cannot be listed\n");
    volumes_mount(&server);
}

/* Has a message handled; true if it now holds a reply. */
static bool serve(struct message *message)
{
    if (MSG_FLAGS(message->tag) & MSG_FLAG_NOTIFICATION) {
        clients_ended(&server, message->words[0]);
        return false;
    }
    return fs_dispatch(&server, message) == PROTO_REPLY;
}

int main(void)
{
    struct message message;
    bool reply = false;

    start();
    for (;;) {
        /* Answers to others use the IPC buffer, so the reply in hand goes first. */
        const bool due = volumes_due(&server);
        if (reply && (server.table.pipes_changed || due)) {
            (void)!sys_reply(server.reply, &message);
            reply = false;
        }
        waiters_run(&server);
        if (due)
            volumes_settle(&server);
        ipc_buffer()->receive_slots[0] = server.arrival == SLOT_NONE ? 0 : server.arrival;
        const long error =
            reply ? sys_reply_recv(server.reply, SLOT_SERVE, &message) : sys_recv(server.reply, SLOT_SERVE, &message);
        if (error == 0) {
            reply = serve(&message);
            continue;
        }
        /* A caller that is gone needs no reply; receiving alone must work. */
        if (!reply)
            fail("fs: cannot receive\n");
        reply = false;
    }
}
