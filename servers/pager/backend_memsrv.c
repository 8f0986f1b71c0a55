/* SPDX-License-Identifier: MIT */
/* The pager's decisions as messages to memsrv and root. */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pids.h>
#include <proto/root_client.h>
#include <quire/clock.h>

#include "server.h"

_Static_assert(sizeof(struct transit_page) == sizeof(struct memsrv_dirty_page), "passed on as they are");
_Static_assert(sizeof(struct evict_page) == sizeof(struct memsrv_victim), "passed on as they are");
_Static_assert(sizeof(struct page_touch) == sizeof(struct memsrv_touched), "passed on as they are");
_Static_assert(EVICT_IS_FREE == MEMSRV_EVICT_FREED && EVICT_IS_WRITTEN == MEMSRV_EVICT_WRITE, "the same numbers");
_Static_assert(EVICT_IS_DIRTY == MEMSRV_EVICT_DIRTY && EVICT_IS_BUSY == MEMSRV_EVICT_BUSY, "the same numbers");
_Static_assert(EVICT_IS_LOCKED == MEMSRV_EVICT_LOCKED && EVICT_IS_GONE == MEMSRV_EVICT_GONE, "the same numbers");
_Static_assert(EVICT_NEEDS_SLOT == MEMSRV_EVICT_SLOT && EVICT_NO_MEMORY == MEMSRV_EVICT_NO_MEMORY, "the same numbers");
_Static_assert(PAGE_IS_BACKED == MEMSRV_PAGE_KIND_BACKED && PAGE_IS_MEMORY == MEMSRV_PAGE_KIND_MEMORY, "the same");
_Static_assert(BATCH_PAGES == MEMSRV_BATCH_PAGES, "one figure");

/* Fills that go by one look at how much memory is free; whatever reclaim decides, it looks again. */
#define MEMORY_USES 32u
#define USES_MAX    (PROTO_DATA_MAX / sizeof(struct memsrv_page_use))

/* What cannot fail unless memsrv and the pager disagree of what is in transit: then there is nothing to be done, but it
 * must be seen. */
static void expect(const char *what, int error, uint64_t done, uint32_t count)
{
    if (error < 0 || done != count)
        server_log("pager: %s: error %d, %lu of %u pages\n", what, error, (unsigned long)done, count);
}

static int fill_begin(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                      uint32_t *found)
{
    uint64_t next;
    size_t number = 0;
    int error = memsrv_fill_begin(SLOT_MEMSRV, object, index, count, &next, (struct memsrv_dirty_page *)pages,
                                  BATCH_PAGES, &number);
    *found = (uint32_t)number;
    return error;
}

static int swap_fill_begin(void *context, uint64_t slot, uint64_t count, struct transit_page *pages, uint32_t *found)
{
    size_t number = 0;
    int error =
        memsrv_swap_fill_begin(SLOT_MEMSRV, slot, count, (struct memsrv_dirty_page *)pages, BATCH_PAGES, &number);
    *found = (uint32_t)number;
    return error;
}

static int clean_begin(void *context, uint64_t object, uint64_t index, uint64_t count, struct transit_page *pages,
                       uint32_t *found, uint64_t *next)
{
    size_t number = 0;
    int error = memsrv_clean_begin(SLOT_MEMSRV, object, index, count, next, (struct memsrv_dirty_page *)pages,
                                   BATCH_PAGES, &number);
    *found = (uint32_t)number;
    return error;
}

static void fill_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    uint64_t done = 0;
    int error = memsrv_fill_end(SLOT_MEMSRV, status, pfns, count * sizeof(*pfns), &done);
    expect("fill_end", error, done, count);
}

static void fill_zero(void *context, const uint64_t *pfns, uint32_t count)
{
    uint64_t done = 0;
    int error = memsrv_transit_zero(SLOT_MEMSRV, pfns, count * sizeof(*pfns), &done);
    expect("transit_zero", error, done, count);
    fill_end(context, 0, pfns, count);
}

static void clean_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    uint64_t done = 0;
    int error = memsrv_clean_end(SLOT_MEMSRV, status, pfns, count * sizeof(*pfns), &done);
    expect("clean_end", error, done, count);
}

static void evict_end(void *given, int status, const uint64_t *pfns, uint32_t count)
{
    struct pager_context *context = given;
    uint64_t done = 0;
    context->memory_uses = 0;
    int error = memsrv_evict_end(SLOT_MEMSRV, status, pfns, count * sizeof(*pfns), &done);
    expect("evict_end", error, done, count);
}

static void swap_fill_end(void *context, int status, const uint64_t *pfns, uint32_t count)
{
    uint64_t done = 0;
    int error = memsrv_swap_fill_end(SLOT_MEMSRV, status, pfns, count * sizeof(*pfns), &done);
    expect("swap_fill_end", error, done, count);
}

static int swap_restore(void *context, uint64_t slot)
{
    return memsrv_swap_restore(SLOT_MEMSRV, slot);
}

static void swap_note(void *context, uint32_t area, uint64_t slots, int32_t priority, const char *name, void *memory)
{
    int error = memsrv_swap_area_note(SLOT_MEMSRV, area, slots, priority, name, strlen(name));
    expect("swap_area_note", error, 0, 0);
    if (slots == 0)
        areas_memory_free(context, memory);
}

static int evict(void *given, const struct evict_page *pages, uint32_t count, uint8_t *results)
{
    struct pager_context *context = given;
    size_t number = 0;
    context->memory_uses = 0;
    int error = memsrv_evict(SLOT_MEMSRV, (const struct memsrv_victim *)pages, count, results, count, &number);
    return error < 0 ? error : number == count ? 0 : -EPROTO;
}

static int harvest(void *context, const uint64_t *pfns, uint32_t count, struct page_touch *touched)
{
    size_t number = 0;
    int error =
        memsrv_harvest(SLOT_MEMSRV, pfns, count * sizeof(*pfns), (struct memsrv_touched *)touched, count, &number);
    return error < 0 ? error : number == count ? 0 : -EPROTO;
}

static uint32_t translate_uses(const struct memsrv_page_use *pages, size_t number, struct page_use *uses)
{
    for (size_t i = 0; i < number; i++) {
        bool other = pages[i].state & (MEMSRV_PAGE_STATE_TRANSIT | MEMSRV_PAGE_STATE_PINNED | MEMSRV_PAGE_STATE_HUGE);
        uses[i] = (struct page_use){.pfn = pages[i].pfn,
                                    .kind = other ? (uint64_t)PAGE_IS_OTHER : pages[i].kind,
                                    .dirty = pages[i].state & MEMSRV_PAGE_STATE_DIRTY,
                                    .object = pages[i].object,
                                    .index = pages[i].index};
    }
    return (uint32_t)number;
}

static int page_uses(void *context, uint64_t pfn, struct page_use *uses, uint32_t max, uint32_t *found, uint64_t *next)
{
    struct memsrv_page_use pages[USES_MAX];
    size_t number = 0;
    int error = memsrv_page_uses(SLOT_MEMSRV, pfn, next, pages, max < USES_MAX ? max : USES_MAX, &number);
    *found = error < 0 ? 0 : translate_uses(pages, number, uses);
    return error;
}

static int cold_pages(void *context, uint64_t pid, uint64_t address, uint64_t end, struct page_use *uses, uint32_t max,
                      uint32_t *found, uint64_t *next)
{
    struct memsrv_page_use pages[USES_MAX];
    size_t number = 0;
    int error = memsrv_space_cold(SLOT_MEMSRV, pid, address << PAGE_SHIFT, end << PAGE_SHIFT, next, pages,
                                  max < USES_MAX ? max : USES_MAX, &number);
    *next >>= PAGE_SHIFT;
    *found = error < 0 ? 0 : translate_uses(pages, number, uses);
    return error;
}

static int group_pages(void *context, uint32_t group, uint64_t pfn, struct page_use *uses, uint32_t max,
                       uint32_t *found, uint64_t *next)
{
    struct memsrv_page_use pages[USES_MAX];
    size_t number = 0;
    int error = memsrv_memgroup_pages(SLOT_MEMSRV, group, pfn, next, pages, max < USES_MAX ? max : USES_MAX, &number);
    *found = error < 0 ? 0 : translate_uses(pages, number, uses);
    return error;
}

static void groups(void *context, struct group_state *states, uint32_t max)
{
    struct memsrv_memgroup infos[PROTO_DATA_MAX / sizeof(struct memsrv_memgroup)];
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < max; i++)
        states[i] = (struct group_state){0};
    do {
        size_t number = 0;
        if (memsrv_memgroups_info(SLOT_MEMSRV, cursor, &cursor, infos, sizeof(infos) / sizeof(infos[0]), &number) < 0)
            return;
        for (size_t i = 0; i < number; i++) {
            if (infos[i].group >= max)
                continue;
            states[infos[i].group] = (struct group_state){.parent = (uint32_t)infos[i].parent,
                                                          .exists = true,
                                                          .limit = infos[i].limit,
                                                          .memory = infos[i].memory};
        }
    } while (cursor != 0);
}

static void group_end(void *context, uint32_t group, int status, bool killed)
{
    int error = memsrv_memgroup_reclaim_end(SLOT_MEMSRV, group, status, killed);
    expect("memgroup_reclaim_end", error, 0, 0);
}

static int spaces(void *context, uint64_t cursor, struct space_use *uses, uint32_t max, uint32_t *found, uint64_t *next)
{
    struct memsrv_space_use spaces[PROTO_DATA_MAX / sizeof(struct memsrv_space_use)];
    const size_t capacity = sizeof(spaces) / sizeof(spaces[0]);
    size_t number = 0;
    int error = memsrv_spaces_info(SLOT_MEMSRV, cursor, next, spaces, max < capacity ? max : capacity, &number);
    for (size_t i = 0; error == 0 && i < number; i++)
        uses[(*found)++] = (struct space_use){.pid = spaces[i].pid,
                                              .resident = spaces[i].resident,
                                              .swapped = spaces[i].swapped,
                                              .tables = spaces[i].tables,
                                              .adj = spaces[i].oom_adj,
                                              .group = (uint32_t)spaces[i].group,
                                              .protected = spaces[i].roles != 0 || spaces[i].pid <= PID_MEMSRV};
    return error;
}

static int cookie_of(void *context, uint64_t object, uint64_t *cookie)
{
    return memsrv_object_cookie(SLOT_MEMSRV, object, cookie);
}

/* Free pages of a zone that any program may have: the rest is kept for who needs just this zone's. */
static uint64_t free_for_all(const struct memsrv_zone *zone)
{
    const uint64_t kept = zone->protection[MEMSRV_ZONES - 1];
    return zone->free > kept ? zone->free - kept : 0;
}

/* Free pages and the watermark of all zones: where the one is above the other, some zone has pages above its own. */
static void read_zones(struct memory_state *state)
{
    for (uint64_t index = 0; index < MEMSRV_ZONES; index++) {
        struct memsrv_zone zone;
        size_t number = 0;
        if (memsrv_zone_info(SLOT_MEMSRV, index, &zone, 1, &number) < 0 || number == 0)
            break;
        state->free += free_for_all(&zone);
        state->high += zone.high;
        for (unsigned worker = 0; worker < MEMSRV_WORKERS; worker++)
            state->free += zone.list_movable[worker] + zone.list_unmovable[worker];
    }
}

static void memory(void *given, struct memory_state *state)
{
    struct pager_context *context = given;
    struct memsrv_paging paging;
    size_t number = 0;
    if (context->memory_uses == 0) {
        context->memory = (struct memory_state){0};
        read_zones(&context->memory);
        if (memsrv_paging_info(SLOT_MEMSRV, &paging, 1, &number) == 0 && number == 1) {
            context->memory.dirty = paging.dirty;
            context->memory.swap_cached = paging.swap_cache;
            context->memory.reservation = paging.reservation;
            context->memory.reserve = paging.reserve;
            context->memory.waiting = paging.parked;
            context->memory.running = paging.running;
        }
        context->memory_uses = MEMORY_USES;
    }
    context->memory_uses--;
    *state = context->memory;
}

static void dirty_limit(void *context, uint64_t pages)
{
    int error = memsrv_paging_limit(SLOT_MEMSRV, pages);
    expect("paging_limit", error, 0, 0);
}

static void demand_end(void *context, uint64_t token, int status)
{
    (void)!memsrv_demand_end(SLOT_MEMSRV, token, status); /* ESRCH: who waited has ended */
}

static void reclaim_end(void *context, int status)
{
    int error = memsrv_reclaim_end(SLOT_MEMSRV, status);
    expect("reclaim_end", error, 0, 0);
}

static int end_process(void *given, const struct oom_task *task, uint32_t score)
{
    struct pager_context *context = given;
    struct root_process process = {0};
    uint64_t next;
    size_t count = 0;
    if (root_process_list(SLOT_ROOT, task->pid, &next, &process, 1, &count) < 0 || count == 0 ||
        process.pid != task->pid)
        return -ESRCH;
    server_log("pager: out of memory: ending process %lu (%.*s), score %u, adj %d, group %u\n",
               (unsigned long)task->pid, (int)sizeof(process.name), process.name, score, task->adj, task->group);
    context->memory_uses = 0;
    return root_kill(SLOT_ROOT, task->pid);
}

static void answer(void *context, uint64_t token, int status, uint64_t value)
{
    waiter_part_ended(context, token, status);
}

static uint32_t warn(void *context)
{
    return watches_warn(context);
}

static void log_line(void *context, const char *line)
{
    server_log("%s\n", line);
}

static uint64_t now_us(void *context)
{
    return clock_now_ns() / 1000;
}

void backend_memsrv(struct backend *backend)
{
    backend->fill_begin = fill_begin;
    backend->swap_fill_begin = swap_fill_begin;
    backend->clean_begin = clean_begin;
    backend->fill_end = fill_end;
    backend->fill_zero = fill_zero;
    backend->clean_end = clean_end;
    backend->evict_end = evict_end;
    backend->swap_fill_end = swap_fill_end;
    backend->swap_restore = swap_restore;
    backend->swap_note = swap_note;
    backend->evict = evict;
    backend->harvest = harvest;
    backend->page_uses = page_uses;
    backend->cold_pages = cold_pages;
    backend->spaces = spaces;
    backend->cookie = cookie_of;
    backend->memory = memory;
    backend->groups = groups;
    backend->group_pages = group_pages;
    backend->group_end = group_end;
    backend->dirty_limit = dirty_limit;
    backend->demand_end = demand_end;
    backend->reclaim_end = reclaim_end;
    backend->kill = end_process;
    backend->answer = answer;
    backend->warn = warn;
    backend->log = log_line;
    backend->now_us = now_us;
}
