/* SPDX-License-Identifier: MIT */
/* What comes in from outside, and who goes on when. */
#include <errno.h>

#include "pager.h"

#define SWEEP_CALLS   32u /* of a tick */
#define CLEAN_REST_US 200000u

int pager_init(struct pager *pager, const struct backend *backend, const struct pager_memory *memory)
{
    const uint64_t now = backend->now_us(backend->context);
    *pager = (struct pager){.backend = *backend, .owners = memory->owners};
    int error = lru_init(&pager->lru, memory->lru_pages, memory->first, memory->pages, &pager->vector, 1);
    if (error == 0)
        error = shadow_table_init(&pager->shadows, memory->shadows, PAGER_SHADOWS(memory->pages));
    if (error == 0)
        error = writeback_set_init(&pager->dirty, pager->dirty_entries, pager->dirty_buckets, OBJECTS_MAX);
    if (error < 0)
        return error;
    for (uint64_t i = 0; i < memory->pages; i++)
        memory->owners[i] = (struct page_owner){0};
    swap_map_init(&pager->swap);
    pressure_init(&pager->pressure, now);
    pager->settings = (struct settings){.swappiness = LRU_SWAPPINESS_DEFAULT,
                                        .page_cluster_pages = SWAP_READAHEAD_PAGES,
                                        .readahead_pages = READAHEAD_PAGES};
    writeback_policy_init(&pager->settings.writeback);
    return 0;
}

uint32_t pager_room(const struct pager *pager)
{
    return DEMANDS_MAX - pager->demand_count;
}

/* There are many dirty pages: finds them all and begins to write them. Not again at once, for that takes a while. */
static void clean_many(struct pager *pager)
{
    const uint64_t now = pager->backend.now_us(pager->backend.context);
    if (now - pager->cleaned < CLEAN_REST_US)
        return;
    pager->cleaned = now;
    pager->sweep = 0;
    while (!sweep_some(pager, SWEEP_CALLS))
        ;
    clean_tick(pager, true);
}

/* Begins what is wanted. EAGAIN: not now. */
static int begin(struct pager *pager, struct demand *demand)
{
    uint64_t end;
    switch (demand->kind) {
    case WANT_FILL:
        return fill(pager, demand);
    case WANT_SWAP_IN:
        return swap_in(pager, demand);
    case WANT_RECLAIM:
        if (demand->object != 0)
            group_want(pager, (uint32_t)demand->object);
        else
            reclaim_want(pager, demand->count, demand->detail == 1);
        return 0;
    case WANT_SYNC:
        (void)object_know(pager, demand->object, demand->cookie);
        if (__builtin_add_overflow(demand->index, demand->count, &end))
            end = UINT64_MAX;
        return sync_begin(pager, demand->object, demand->cookie, demand->index, end, SYNC_LAST, true, demand->token);
    case WANT_CLEANING:
        clean_many(pager);
        return 0;
    case TOLD_SLOTS_FREE:
        swap_slots_free(pager, demand->index, demand->count);
        return 0;
    case TOLD_ADVICE:
        return advise(pager, demand);
    case TOLD_COLD:
        return cold(pager, demand);
    default:
        object_forget(pager, demand->object);
        return 0;
    }
}

/* Has each of the demands that wait tried once; those that cannot begin keep their order. */
static bool begin_waiting(struct pager *pager)
{
    uint32_t count = pager->demand_count;
    bool begun = false;
    pager->demand_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct demand demand = pager->demands[(pager->demand_first + i) % DEMANDS_MAX];
        pager->origin = demand.origin;
        const int error = begin(pager, &demand);
        pager->origin = 0;
        if (error != -EAGAIN) {
            begun = true;
            continue;
        }
        pager->demands[(pager->demand_first + pager->demand_count) % DEMANDS_MAX] = demand;
        pager->demand_count++;
    }
    return begun;
}

void pager_pump(struct pager *pager)
{
    bool more = true;
    if (pager->pumping)
        return;
    pager->pumping = true;
    while (more) {
        more = begin_waiting(pager);
        batches_pump(pager);
        for (uint32_t i = 0; i < JOBS_MAX; i++)
            more = (pager->jobs[i].kind != JOB_FREE && job_step(pager, &pager->jobs[i])) || more;
        const uint64_t reclaimed = pager->counters.reclaimed;
        reclaim_step(pager);
        group_step(pager);
        /* Pages that went at once are no transfer that ends later. */
        more = more || (pager->demand_count > 0 && pager->counters.reclaimed != reclaimed);
    }
    pager->pumping = false;
}

void pager_demand(struct pager *pager, const struct demand *demand)
{
    ASSERT(pager->demand_count < DEMANDS_MAX);
    pager_trace(pager, TRACE_DEMAND, demand->origin, demand->kind, demand->index);
    pager->demands[(pager->demand_first + pager->demand_count) % DEMANDS_MAX] = *demand;
    pager->demand_count++;
    pager_pump(pager);
}

void pager_mapped(struct pager *pager, uint64_t pfn)
{
    if (lru_where(&pager->lru, pfn) == LRU_ABSENT)
        page_arrived(pager, pfn, 0, 0, 0);
}

void pager_tick(struct pager *pager)
{
    const struct backend *backend = &pager->backend;
    const uint64_t now = backend->now_us(backend->context);
    struct memory_state memory;
    memory_look(pager, &memory);
    pressure_update(&pager->pressure, now);
    if (memory.dirty > 0 || pager->sweep != 0) {
        /* One pass in each interval finds what has become dirty. */
        if (pager->sweep != 0 || now / 1000 - pager->sweep_begun >= pager->settings.writeback.interval_ms) {
            if (pager->sweep == 0)
                pager->sweep_begun = now / 1000;
            (void)sweep_some(pager, SWEEP_CALLS);
        }
    }
    const struct writeback_limits limits =
        writeback_limits(&pager->settings.writeback, memory.free + lru_size(&pager->vector, LRU_INACTIVE_FILE) +
                                                         lru_size(&pager->vector, LRU_ACTIVE_FILE));
    if (limits.background != pager->dirty_limit) {
        pager->dirty_limit = limits.background;
        backend->dirty_limit(backend->context, limits.background);
    }
    if (memory.dirty > limits.background)
        clean_many(pager);
    else
        clean_tick(pager, false);
    pager->group.stalled = false;
    pager->reclaim.stalled = false; /* a process may have ended, or memory come back by itself */
    pager_pump(pager);
}

/* A batch's own numbers, and those of its transfers. */
static bool batch_ok(const struct pager *pager, uint32_t number)
{
    const struct batch *batch = &pager->batches[number];
    uint32_t on_their_way = 0;
    for (uint32_t tag = 0; tag < TRANSFERS_MAX; tag++) {
        if (pager->transfers[tag].used && pager->transfers[tag].batch == number)
            on_their_way += pager->transfers[tag].count + pager->transfers[tag].left;
    }
    if (batch->kind == BATCH_FREE)
        return on_their_way == 0;
    return batch->count > 0 && batch->count <= BATCH_PAGES && batch->begun <= batch->count &&
           batch->ended + on_their_way == batch->begun;
}

int pager_check(const struct pager *pager)
{
    for (uint32_t i = 0; i < BATCHES_MAX; i++) {
        if (!batch_ok(pager, i))
            return -EIO;
    }
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        uint32_t batches = 0;
        for (uint32_t j = 0; j < BATCHES_MAX; j++)
            batches += pager->batches[j].kind != BATCH_FREE && pager->batches[j].job == i;
        if (batches != (pager->jobs[i].kind == JOB_FREE ? 0 : pager->jobs[i].batches))
            return -EIO;
    }
    if (pager->lru.isolated != 0 || lru_check(&pager->lru) < 0 || swap_map_check(&pager->swap) < 0 ||
        writeback_check(&pager->dirty) < 0)
        return -EIO;
    return shadow_table_check(&pager->shadows);
}
