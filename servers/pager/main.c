/* SPDX-License-Identifier: MIT */
/*
 * The pager's loop. One endpoint brings requests and, by the notification that is bound to it, memsrv's demands, the ends
 * of transfers, and the news that time has passed.
 */
#include <proto/memsrv_client.h>
#include <stdlib.h>

#include "server.h"

#define DEMANDS_AT_ONCE 16u
#define RING_FIRST_BYTE 16u

static struct pager_context server;

/* A demand as the decisions know it. */
static struct demand translate(const struct memsrv_demand *from)
{
    static const enum demand_kind kinds[] = {
        [MEMSRV_DEMAND_FILL] = WANT_FILL,       [MEMSRV_DEMAND_SWAP_IN] = WANT_SWAP_IN,
        [MEMSRV_DEMAND_RECLAIM] = WANT_RECLAIM, [MEMSRV_DEMAND_SYNC] = WANT_SYNC,
        [MEMSRV_DEMAND_DIRTY] = WANT_CLEANING,  [MEMSRV_DEMAND_SLOT_FREE] = TOLD_SLOTS_FREE,
        [MEMSRV_DEMAND_ADVICE] = TOLD_ADVICE,   [MEMSRV_DEMAND_OBJECT_GONE] = TOLD_GONE,
        [MEMSRV_DEMAND_COLD] = TOLD_COLD,
    };
    _Static_assert(MEMSRV_RECLAIM_URGENT == 1 && MEMSRV_ADVICE_WILL_NEED == 3, "details are passed on");
    _Static_assert(MEMSRV_ADVICE_PAGE_OUT == ADVICE_PAGE_OUT, "details are passed on");
    return (struct demand){.kind = kinds[from->kind],
                           .token = from->token,
                           .object = from->object,
                           .cookie = from->cookie,
                           .index = from->index,
                           .count = from->count,
                           .detail = from->access,
                           .origin = from->origin};
}

/* Takes demands as long as there is room for them. */
static void take_demands(struct pager_context *context)
{
    struct memsrv_demand demands[DEMANDS_AT_ONCE];
    while (context->more && pager_room(&context->pager) >= DEMANDS_AT_ONCE) {
        size_t count = 0;
        int error = memsrv_pager_demands(SLOT_MEMSRV, demands, DEMANDS_AT_ONCE, &count);
        if (error < 0)
            server_log("pager: no demands: error %d\n", error);
        for (size_t i = 0; i < count; i++) {
            if (demands[i].kind < MEMSRV_DEMAND_FILL || demands[i].kind > MEMSRV_DEMAND_COLD)
                continue;
            const struct demand demand = translate(&demands[i]);
            if (demand.kind == WANT_RECLAIM)
                context->memory_uses = 0;
            pager_demand(&context->pager, &demand);
        }
        context->more = count == DEMANDS_AT_ONCE;
    }
}

/* Learns which pages programs have mapped for the first time. What was overwritten is found by sweeping. */
static void read_rings(struct pager_context *context)
{
    for (uint32_t i = 0; i < context->ring_count; i++) {
        const uint8_t *page = context->rings + i * PAGE_SIZE;
        const uint32_t *numbers = (const uint32_t *)(const void *)(page + RING_FIRST_BYTE);
        uint64_t written = __atomic_load_n((const uint64_t *)(const void *)page, __ATOMIC_ACQUIRE);
        uint32_t last = (uint32_t)written, seen = context->ring_seen[i];
        if (last - seen > MEMSRV_RING_PAGES)
            seen = last - MEMSRV_RING_PAGES;
        for (; seen != last; seen++)
            pager_mapped(&context->pager, __atomic_load_n(&numbers[seen % MEMSRV_RING_PAGES], __ATOMIC_RELAXED));
        context->ring_seen[i] = last;
    }
}

static void handle_events(struct pager_context *context, uint64_t events)
{
    if (events & EVENT_TICK) {
        context->memory_uses = 0;
        disks_open(context);
        areas_open(context);
        pager_tick(&context->pager);
        watches_tell(context);
    }
    /* An end that a dead server did not signal is found with the next tick. */
    if (events & (EVENT_DISK | EVENT_TICK))
        disks_collect(context);
    if (events & MEMSRV_DEMAND_BIT)
        context->more = true;
}

/* Has a message handled; true if it now holds a reply. */
static bool serve(struct pager_context *context, struct message *message)
{
    bool reply = false;
    read_rings(context);
    if (MSG_FLAGS(message->tag) & MSG_FLAG_NOTIFICATION)
        handle_events(context, message->words[0]);
    else
        reply = pager_dispatch(context, message) == PROTO_REPLY;
    if (!reply)
        take_demands(context);
    return reply;
}

static long receive(struct pager_context *context, struct message *message, bool reply)
{
    ipc_buffer()->receive_slots[0] = context->arriving;
    return reply ? sys_reply_recv(context->reply, SLOT_SERVE, message) : sys_recv(context->reply, SLOT_SERVE, message);
}

int main(int argc, char **argv)
{
    struct message message;
    bool reply = false;

    server.looks = argc < 2 || strcmp(argv[1], PAGER_START_NO_SWAP) != 0;
    server_start(&server);
    take_demands(&server);
    for (;;) {
        const long error = receive(&server, &message, reply);
        if (error == 0) {
            reply = serve(&server, &message);
        } else if (reply) {
            reply = false; /* a caller that is gone needs no reply; receiving alone must work */
        } else {
            server_log("pager: cannot receive: error %ld\n", error);
            return EXIT_FAILURE;
        }
    }
}
