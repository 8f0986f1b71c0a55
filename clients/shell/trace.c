/* SPDX-License-Identifier: MIT */
/* Collecting trace events: see trace.h. */
#include "trace.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct trace_event))
#define EVENTS_MAX     65536u
#define SOURCES        8u

/* When tracing was turned on last. */
static uint64_t since;

static const char *const names[TRACE_KIND_COUNT] = {
    [TRACE_FAULT] = "mm_page_fault",
    [TRACE_FAULT_END] = "mm_page_fault_end",
    [TRACE_HANDLE] = "handle_mm_fault",
    [TRACE_HANDLE_END] = "handle_mm_fault_end",
    [TRACE_REQUEST] = "memsrv_request",
    [TRACE_REQUEST_END] = "memsrv_request_end",
    [TRACE_PAGE_ALLOC] = "mm_page_alloc",
    [TRACE_PAGE_FREE] = "mm_page_free",
    [TRACE_KMALLOC] = "kmalloc",
    [TRACE_KFREE] = "kfree",
    [TRACE_UNPARK] = "mm_fault_unpark",
    [TRACE_WAKEUP_KSWAPD] = "mm_vmscan_wakeup_kswapd",
    [TRACE_DEMAND] = "pager_demand",
    [TRACE_FILL] = "mm_filemap_fill",
    [TRACE_FILL_END] = "mm_filemap_add_to_page_cache",
    [TRACE_IO] = "block_rq_issue",
    [TRACE_IO_END] = "block_rq_complete",
    [TRACE_RECLAIM] = "mm_vmscan_direct_reclaim_begin",
    [TRACE_RECLAIM_END] = "mm_vmscan_direct_reclaim_end",
    [TRACE_SHRINK_INACTIVE] = "mm_vmscan_lru_shrink_inactive",
    [TRACE_SHRINK_ACTIVE] = "mm_vmscan_lru_shrink_active",
    [TRACE_WRITE] = "mm_vmscan_write_folio",
};

const char *trace_name(uint32_t kind)
{
    return kind < TRACE_KIND_COUNT && names[kind] ? names[kind] : "?";
}

const char *trace_cause_name(uint64_t cause)
{
    static const char *const causes[TRACE_CAUSE_COUNT] = {
        [TRACE_CAUSE_ANONYMOUS] = "anonymous", [TRACE_CAUSE_ZERO] = "zero",         [TRACE_CAUSE_COPY] = "copy",
        [TRACE_CAUSE_REUSE] = "reuse",         [TRACE_CAUSE_OBJECT] = "object",     [TRACE_CAUSE_HUGE] = "huge",
        [TRACE_CAUSE_SWAP] = "swap",           [TRACE_CAUSE_SPURIOUS] = "spurious", [TRACE_CAUSE_REFUSED] = "refused",
        [TRACE_CAUSE_MAJOR] = "major"};
    return cause < TRACE_CAUSE_COUNT ? causes[cause] : "?";
}

enum trace_place trace_place(uint32_t kind)
{
    return kind < TRACE_HANDLE ? PLACE_KERNEL : kind < TRACE_DEMAND ? PLACE_MEMSRV : PLACE_PAGER;
}

uint64_t trace_ns(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * NS_PER_SECOND / clock_frequency());
}

int trace_switch(bool on)
{
    int error = root_vm_set(SLOT_ROOT, ROOT_VM_TRACE, on);

    if (error == 0 && sys_cap_query(SLOT_PAGER, NULL) > 0)
        error = pager_trace_set(SLOT_PAGER, on);
    if (on)
        since = clock_ticks();
    return error;
}

/* The reading of the rings itself is not what anybody wants to see. */
static bool is_reading(const struct trace_event *event)
{
    const uint32_t kind = TRACE_KIND(event->what);
    return (kind == TRACE_REQUEST || kind == TRACE_REQUEST_END) && event->a == MEMSRV_OP_TRACE_READ;
}

/* Adds those events that count. */
static int add(struct trace_list *list, const struct trace_event *events, size_t count)
{
    if (list->count + count > list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        struct trace_event *more = capacity <= EVENTS_MAX ? realloc(list->events, capacity * sizeof(*more)) : NULL;
        if (!more)
            return -ENOMEM;
        list->events = more;
        list->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++) {
        if (events[i].time >= since && !is_reading(&events[i]))
            list->events[list->count++] = events[i];
    }
    return 0;
}

/* Reads a ring to its end: of memsrv's source `source`, or, if `pager`, the pager's. ENOENT: there is none. */
static int drain(struct trace_list *list, bool pager, uint64_t source, uint64_t *cursor)
{
    struct trace_event events[EVENTS_AT_ONCE];
    size_t count = 0;
    int error;

    do {
        error = pager ? pager_trace_read(SLOT_PAGER, *cursor, cursor, (struct pager_trace_event *)events,
                                         EVENTS_AT_ONCE, &count)
                      : memsrv_trace_read(SLOT_MEMSRV, source, *cursor, cursor, (struct memsrv_trace_event *)events,
                                          EVENTS_AT_ONCE, &count);
        if (error == 0)
            error = add(list, events, count);
    } while (error == 0 && count == EVENTS_AT_ONCE);
    return error;
}

int trace_collect(struct trace_list *list, struct trace_cursors *cursors)
{
    int error = 0;

    for (uint64_t i = 0; i < SOURCES && error == 0; i++)
        error = drain(list, false, i, &cursors->workers[i]);
    if (error == -ENOENT)
        error = 0;
    for (uint64_t i = 0; i < SOURCES && error == 0; i++)
        error = drain(list, false, MEMSRV_TRACE_KERNEL + i, &cursors->cpus[i]);
    if (error == -ENOENT)
        error = 0;
    if (error == 0 && sys_cap_query(SLOT_PAGER, NULL) > 0)
        error = drain(list, true, 0, &cursors->pager);
    trace_sort(list->events, list->count);
    return error;
}

void trace_list_free(struct trace_list *list)
{
    free(list->events);
    *list = (struct trace_list){0};
}
