/* SPDX-License-Identifier: MIT */
/* How the pager comes to serve: its memory, memsrv, the disks, and what an earlier pager left. */
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <proto/server_memory.h>
#include <quire/clock.h>
#include <quire/slots.h>
#include <quire/thread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

#define LINE_MAX_BYTES 240u
#define TICK_NS        NS_PER_SECOND

void server_log(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > 0)
        (void)!root_log(SLOT_ROOT, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

static _Noreturn void fail(const char *what, int error)
{
    server_log("pager: %s: error %d\n", what, error);
    exit(EXIT_FAILURE);
}

void *server_memory(uint64_t bytes)
{
    uint64_t address;
    int error = memsrv_map(SLOT_MEMSRV, 0, bytes, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE,
                           MEMSRV_MAP_PRIVATE | MEMSRV_MAP_POPULATE | MEMSRV_MAP_LOCKED, &address);
    return error < 0 ? NULL : (void *)address;
}

void server_memory_free(void *memory, uint64_t bytes)
{
    (void)!memsrv_unmap(SLOT_MEMSRV, (uint64_t)memory, bytes);
}

static uint64_t create(enum cap_type type)
{
    uint64_t identifier;
    const uint64_t slot = slot_allocate();
    int error = slot == SLOT_NONE ? -ENOMEM : memsrv_object_create(SLOT_MEMSRV, type, &identifier, slot);
    if (error < 0)
        fail("no kernel object", error);
    return slot;
}

/* The page frames that memsrv manages: from the lowest to the highest zone's end. */
static void find_memory(struct pager_memory *memory)
{
    uint64_t first = UINT64_MAX, end = 0;
    for (uint64_t index = 0; index < MEMSRV_ZONES; index++) {
        struct memsrv_zone zone;
        size_t count = 0;
        if (memsrv_zone_info(SLOT_MEMSRV, index, &zone, 1, &count) < 0 || count == 0 || zone.spanned == 0)
            continue;
        first = zone.start < first ? zone.start : first;
        end = zone.start + zone.spanned > end ? zone.start + zone.spanned : end;
    }
    if (first >= end)
        fail("no memory to manage", -EINVAL);
    memory->first = first;
    memory->pages = end - first;
    memory->lru_pages = server_memory(memory->pages * sizeof(*memory->lru_pages));
    memory->owners = server_memory(memory->pages * sizeof(*memory->owners));
    memory->shadows = server_memory(PAGER_SHADOWS(memory->pages) * sizeof(*memory->shadows));
    if (!memory->lru_pages || !memory->owners || !memory->shadows)
        fail("no memory for the lists of pages", -ENOMEM);
}

/* --- What an earlier pager left ------------------------------------------------------------------------------------- */

/* Ends the transit of one page so that it is asked for or written again; what was on its way to a slot still is. */
static void settle_page(struct pager_context *context, struct batch *batches[], const struct memsrv_transit *page)
{
    uint64_t done = 0;
    int error = -EINVAL;
    switch (page->kind) {
    case MEMSRV_TRANSIT_FILL:
        error = memsrv_fill_end(SLOT_MEMSRV, -EAGAIN, &page->pfn, sizeof(page->pfn), &done);
        break;
    case MEMSRV_TRANSIT_CLEAN:
        error = memsrv_clean_end(SLOT_MEMSRV, -EAGAIN, &page->pfn, sizeof(page->pfn), &done);
        break;
    case MEMSRV_TRANSIT_SWAP_OUT:
        if (swap_out_again(&context->pager, batches, page->index, page->pfn) == 0)
            return;
        error = memsrv_evict_end(SLOT_MEMSRV, -EAGAIN, &page->pfn, sizeof(page->pfn), &done);
        break;
    case MEMSRV_TRANSIT_SWAP_IN:
        error = memsrv_swap_fill_end(SLOT_MEMSRV, -EAGAIN, &page->pfn, sizeof(page->pfn), &done);
        break;
    }
    if (error < 0 || done != 1)
        server_log("pager: page %lu stays in transit: error %d\n", (unsigned long)page->pfn, error);
}

static void settle_transit(struct pager_context *context)
{
    struct memsrv_transit pages[PROTO_DATA_MAX / sizeof(struct memsrv_transit)];
    struct batch *batches[SWAP_AREAS_MAX] = {NULL};
    uint64_t cursor = 0;
    bool settled = false;
    do {
        size_t count = 0;
        int error = memsrv_pager_transit(SLOT_MEMSRV, cursor, &cursor, pages, sizeof(pages) / sizeof(pages[0]), &count);
        if (error < 0)
            fail("cannot learn what is in transit", error);
        if (count > 0 && !settled)
            disks_settle(context);
        settled = settled || count > 0;
        for (size_t i = 0; i < count; i++) {
            if (pages[i].object != 0 && pages[i].kind <= MEMSRV_TRANSIT_CLEAN)
                (void)object_know(&context->pager, pages[i].object, pages[i].cookie);
            settle_page(context, batches, &pages[i]);
        }
    } while (cursor != 0);
    for (uint32_t area = 0; area < SWAP_AREAS_MAX; area++) {
        if (batches[area])
            batch_begin(&context->pager, batches[area]);
    }
}

/* --- The start ------------------------------------------------------------------------------------------------------ */

/* Maps the rings in which memsrv's workers note pages; without them the lists learn of pages by sweeping alone. */
static void map_rings(struct pager_context *context, uint64_t object)
{
    uint64_t address, workers;
    struct memsrv_zone zone;
    size_t count = 0;
    if (memsrv_zone_info(SLOT_MEMSRV, 0, &zone, 1, &count) < 0 || count == 0)
        return;
    workers = zone.workers < MEMSRV_WORKERS ? zone.workers : MEMSRV_WORKERS;
    int error = memsrv_map_object(SLOT_MEMSRV, 0, workers * PAGE_SIZE, MEMSRV_PROTECT_READ, MEMSRV_MAP_SHARED, object,
                                  0, &address);
    if (error < 0) {
        server_log("pager: the rings cannot be mapped: error %d\n", error);
        return;
    }
    context->rings = (const uint8_t *)address;
    context->ring_count = (uint32_t)workers;
}

static int tick(void *argument)
{
    const struct pager_context *context = argument;
    for (;;) {
        clock_sleep_until(clock_now_ns() + TICK_NS);
        if (sys_signal(context->notification, EVENT_TICK) < 0)
            return 1;
    }
}

static void attach(struct pager_context *context)
{
    uint64_t rings;
    context->notification = slot_allocate();
    int error = memsrv_pager_attach(SLOT_MEMSRV, &context->generation, &rings, context->notification);
    if (error < 0)
        fail("cannot attach to memsrv", error);
    (void)!sys_notification_bind(context->notification, 0); /* an earlier pager's binding */
    error = (int)sys_notification_bind(context->notification, SLOT_SERVE);
    if (error < 0)
        fail("cannot bind the notification", error);
    map_rings(context, rings);
}

void server_start(struct pager_context *context)
{
    struct backend backend = {.context = context};
    struct pager_memory memory;
    struct thread *ticker;
    context->reply = SLOT_REPLY;
    context->arriving = slot_allocate();
    while (context->spare_count < WAITERS_MAX)
        context->spare_replies[context->spare_count++] = create(CAP_REPLY);
    context->disks = sys_cap_query(SLOT_BLK, NULL) > 0;
    backend_memsrv(&backend);
    backend_trace(&backend);
    backend_disk(&backend);
    find_memory(&memory);
    int error = pager_init(&context->pager, &backend, &memory);
    if (error < 0)
        fail("cannot start", error);
    attach(context);
    context->looks = context->looks && context->generation == 1;
    disks_open(context);
    areas_recover(context);
    areas_open(context);
    settle_transit(context);
    error = thread_create(&ticker, tick, context);
    if (error < 0)
        fail("no thread", error);
    /* What brings pages back must never be away itself. */
    error = memsrv_lock_all(SLOT_MEMSRV, MEMSRV_LOCK_CURRENT | MEMSRV_LOCK_FUTURE | SERVER_LOCK_FLAGS);
    if (error < 0)
        fail("its memory cannot be locked", error);
    context->more = true;
    /* What is there already, if this is not the first pager. */
    while (context->generation > 1 && !sweep_some(&context->pager, 64))
        ;
}
