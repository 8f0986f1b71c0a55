/* SPDX-License-Identifier: MIT */
/* Pages of files that are wanted: which to read with them, and where they are. */
#include <errno.h>

#include "pager.h"

#define RUNS_MAX 32u

struct object *object_find(struct pager *pager, uint64_t number)
{
    uint32_t start = (uint32_t)(number * 0x9e3779b9u % OBJECTS_MAX);
    for (uint32_t i = 0; i < OBJECTS_MAX; i++) {
        struct object *object = &pager->objects[(start + i) % OBJECTS_MAX];
        if (object->number == number)
            return object;
        if (object->used == 0)
            return NULL; /* never used: no object has been pushed past here */
    }
    return NULL;
}

/* The place for a new object: the first that is free from its hash on, or the one that was not wanted for longest. */
static struct object *object_place(struct pager *pager, uint64_t number)
{
    uint32_t start = (uint32_t)(number * 0x9e3779b9u % OBJECTS_MAX);
    struct object *oldest = &pager->objects[start];
    for (uint32_t i = 0; i < OBJECTS_MAX; i++) {
        struct object *object = &pager->objects[(start + i) % OBJECTS_MAX];
        if (object->number == 0)
            return object;
        if (object->used < oldest->used)
            oldest = object;
    }
    return oldest;
}

struct object *object_know(struct pager *pager, uint64_t number, uint64_t cookie)
{
    struct object *object = object_find(pager, number);
    if (!object) {
        object = object_place(pager, number);
        *object = (struct object){.number = number};
        readahead_init(&object->readahead, (uint32_t)pager->settings.readahead_pages);
    }
    object->cookie = cookie;
    object->used = ++pager->clock;
    return object;
}

struct object *object_meet(struct pager *pager, uint64_t number)
{
    struct object *object = object_find(pager, number);
    uint64_t cookie;
    if (object)
        return object;
    if (pager->backend.cookie(pager->backend.context, number, &cookie) < 0)
        return NULL;
    return object_know(pager, number, cookie);
}

void object_forget(struct pager *pager, uint64_t number)
{
    struct object *object = object_find(pager, number);
    if (object)
        object->number = 0; /* `used` stays: others may lie behind */
    shadow_table_forget(&pager->shadows, number);
    writeback_cleaned(&pager->dirty, number, UINT64_MAX, 0);
}

void page_arrived(struct pager *pager, uint64_t pfn, unsigned flags, uint64_t object, uint64_t index)
{
    bool known = object <= UINT32_MAX && index <= UINT32_MAX;
    (void)lru_remove(&pager->lru, pfn);
    if (lru_add(&pager->lru, pfn, 0, flags, true) < 0)
        return; /* a frame outside the memory that is managed: never reclaimed */
    pager->owners[pfn - pager->lru.first] =
        (struct page_owner){.object = known ? (uint32_t)object : 0, .index = known ? (uint32_t)index : 0};
}

void fill_arrived(struct pager *pager, const struct batch *batch, uint32_t first, uint32_t count)
{
    pager->counters.read += count;
    for (uint32_t i = first; i < first + count; i++) {
        const struct writeback_page *page = &batch->pages[i];
        unsigned flags = LRU_FILE | (page->index == batch->active ? LRU_ACTIVE | LRU_WORKINGSET : 0u);
        page_arrived(pager, page->pfn, flags, batch->object, page->index);
    }
}

/* Pages of a hole, or that cannot be read, come to their end at once. */
static void end_now(struct pager *pager, uint64_t object, const struct transit_page *pages, uint32_t count, int status)
{
    const struct backend *backend = &pager->backend;
    uint64_t pfns[BATCH_PAGES];
    for (uint32_t i = 0; i < count; i++)
        pfns[i] = pages[i].pfn;
    if (status < 0) {
        backend->fill_end(backend->context, status, pfns, count);
        pager->counters.errors++;
        return;
    }
    backend->fill_zero(backend->context, pfns, count);
    for (uint32_t i = 0; i < count; i++)
        page_arrived(pager, pfns[i], LRU_FILE, object, pages[i].index);
}

/* Brings pages that the file server reads itself. */
static void read_served(struct pager *pager, const struct batch *batch, uint64_t cookie,
                        const struct transit_page *pages, uint32_t count)
{
    const struct backend *backend = &pager->backend;
    for (uint32_t i = 0; i < count; i++) {
        int status = backend->served_read(backend->context, cookie, pages[i].index, pages[i].pfn);
        backend->fill_end(backend->context, status, &pages[i].pfn, 1);
        pager->counters.errors += status < 0;
        pager->counters.read += status == 0;
        if (status == 0)
            page_arrived(pager, pages[i].pfn, LRU_FILE, batch->object, pages[i].index);
    }
}

/* Adds pages that a run covers to the batch; holes, and what the file server reads, end at once. */
static void add_run(struct pager *pager, struct batch *batch, uint64_t cookie, const struct transit_page *pages,
                    uint32_t count, uint64_t block)
{
    if (block == BLOCK_SERVED) {
        read_served(pager, batch, cookie, pages, count);
        return;
    }
    if (block == BLOCK_HOLE) {
        end_now(pager, batch->object, pages, count, 0);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        batch->pages[batch->count++] = (struct writeback_page){block + i, pages[i].pfn, pages[i].index};
}

/* Finds out where pages that follow each other are. What is on another volume than the batch's cannot be: a file is on
 * one. Returns how many were dealt with. */
static uint32_t locate(struct pager *pager, struct batch *batch, uint64_t cookie, const struct transit_page *pages,
                       uint32_t count)
{
    struct block_run runs[RUNS_MAX];
    uint32_t found = 0, done = 0;
    const struct backend *backend = &pager->backend;
    int error = backend->map_blocks(backend->context, cookie, pages[0].index, count, false, &batch->volume, runs,
                                    RUNS_MAX, &found);
    if (error < 0 || found == 0) {
        end_now(pager, batch->object, pages, count, error < 0 ? error : -EIO);
        return count;
    }
    for (uint32_t i = 0; i < found && done < count; i++) {
        uint32_t part = runs[i].count < count - done ? (uint32_t)runs[i].count : count - done;
        add_run(pager, batch, cookie, pages + done, part, runs[i].block);
        done += part;
    }
    if (done == 0)
        end_now(pager, batch->object, pages, count, -EIO);
    return done ? done : count;
}

/* How many of the pages follow each other in the object. */
static uint32_t consecutive(const struct transit_page *pages, uint32_t count)
{
    uint32_t length = 1;
    while (length < count && pages[length].index == pages[length - 1].index + 1)
        length++;
    return length;
}

/* Reads pages [index, index + count) of the demand's object that are not there; `active` as in struct batch. */
static int read_range(struct pager *pager, const struct demand *demand, uint64_t index, uint64_t count, uint64_t active)
{
    struct transit_page pages[BATCH_PAGES];
    uint32_t found = 0, done = 0;
    const struct backend *backend = &pager->backend;
    struct batch *batch = batch_new(pager, BATCH_FILL, NONE);
    if (!batch)
        return -EAGAIN;
    batch->object = demand->object;
    batch->active = active;
    int error = backend->fill_begin(backend->context, demand->object, index, count < BATCH_PAGES ? count : BATCH_PAGES,
                                    pages, &found);
    if (error < 0) {
        batch_drop(batch);
        return error;
    }
    while (done < found)
        done += locate(pager, batch, demand->cookie, pages + done, consecutive(pages + done, found - done));
    pager->counters.read_ahead += found > 0 ? found - 1 : 0;
    if (batch->count > 0)
        batch_begin(pager, batch);
    else
        batch_drop(batch);
    return 0;
}

/* A page is back that went not long ago: is it to stay now? */
static bool stays(struct pager *pager, workingset_shadow shadow)
{
    struct workingset_refault refault;
    bool can_swap = swap_map_info(&pager->swap).available > 0;
    if (shadow == WORKINGSET_NO_SHADOW || workingset_judge(&pager->lru, shadow, true, can_swap, &refault) < 0 ||
        !refault.activate)
        return false;
    pager->counters.refaults++;
    lru_note_cost(&pager->vector, true, 1, 0);
    return true;
}

/* What to read for a demand, the page that is wanted in the first part of it. */
static struct readahead_plan plan_of(struct pager *pager, struct readahead_state *state, uint64_t index)
{
    struct memory_state memory;
    pager->backend.memory(pager->backend.context, &memory);
    struct readahead_request request = {.index = index, .count = 1, .limit = UINT64_MAX};
    request.spare = memory.free > 4UL * BATCH_PAGES ? BATCH_PAGES : (uint32_t)(memory.free / 4);
    struct readahead_plan plan = readahead_fault(state, &request);
    if (index < plan.start || index - plan.start >= BATCH_PAGES)
        return (struct readahead_plan){.start = index, .count = 1, .mark = READAHEAD_NO_MARK};
    return plan;
}

int fill(struct pager *pager, const struct demand *demand)
{
    struct object *object = object_know(pager, demand->object, demand->cookie);
    const struct readahead_state before = object->readahead;
    const workingset_shadow shadow = shadow_table_take(&pager->shadows, demand->object, demand->index);
    const struct readahead_plan plan = plan_of(pager, &object->readahead, demand->index);
    const uint64_t active = stays(pager, shadow) ? demand->index : UINT64_MAX;
    int error = read_range(pager, demand, plan.start, plan.count, active);
    if (error == -ENOMEM && plan.count > 1)
        error = read_range(pager, demand, demand->index, 1, active);
    if (error != -EAGAIN && error != -ENOMEM)
        return 0; /* any other error: the object is no more, and nobody waits for it */
    object->readahead = before;
    if (shadow != WORKINGSET_NO_SHADOW)
        shadow_table_put(&pager->shadows, demand->object, demand->index, shadow);
    if (error == -ENOMEM)
        reclaim_want(pager, LRU_BATCH, false);
    return -EAGAIN;
}

int advise(struct pager *pager, const struct demand *demand)
{
    static const enum readahead_advice windows[] = {READAHEAD_NORMAL, READAHEAD_RANDOM, READAHEAD_SEQUENTIAL};
    struct object *object = object_know(pager, demand->object, demand->cookie);
    if (demand->detail < sizeof(windows) / sizeof(windows[0])) {
        readahead_advise(&object->readahead, windows[demand->detail]);
        return 0;
    }
    if (demand->detail != 3) /* will need */
        return 0;
    uint64_t index = demand->index;
    for (;;) {
        struct readahead_plan plan =
            readahead_will_need(&object->readahead, &index, demand->index + demand->count, UINT64_MAX);
        if (plan.count == 0 || read_range(pager, demand, plan.start, plan.count, UINT64_MAX) < 0)
            return 0; /* advice: as far as there is room for it */
    }
}
