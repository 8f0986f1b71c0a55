/* SPDX-License-Identifier: MIT */
/* Translation tables: see space_tables.h. */
#include <errno.h>

#include <mm/mempool.h>
#include <quire/syscall.h>

#include "log.h"
#include "memory.h"
#include "own_memory.h"
#include "space_pages.h"
#include "space_tables.h"

/* Tables to leave with the kernel, and from when on it is worth asking for the others. */
#define TABLES_KEPT     6u
#define TABLES_PLENTY   24u
#define PAGES_PER_TABLE 256u

/* For who frees more than he takes: all memory that there is. */
#define GFP_RESERVED (GFP_FLAG_MEMALLOC | GFP_FLAG_NOWARN)

static uint64_t tables_taken; /* for all spaces and the reserve; atomic */
static struct mempool reserve;

static struct page *take(gfp_t gfp)
{
    struct page *page = pages_take(gfp, 0, PAGE_TABLE);
    if (page)
        __atomic_fetch_add(&tables_taken, 1, __ATOMIC_RELAXED);
    return page;
}

static void *take_reserved(void *context, unsigned cpu)
{
    (void)context, (void)cpu;
    return take(GFP_RESERVED);
}

static void give_back(void *context, unsigned cpu, void *page)
{
    (void)context, (void)cpu;
    __atomic_fetch_sub(&tables_taken, 1, __ATOMIC_RELAXED);
    system_page_give(page);
}

void tables_init(void)
{
    static const struct mempool_ops ops = {.alloc = take_reserved, .free = give_back};

    if (mempool_init(&reserve, WORKERS_MAX, &ops, NULL, &own_heap, worker_index()))
        fatal("there is no memory for the reserve of translation tables");
}

struct page *table_take(void)
{
    return take(GFP_ATOMIC);
}

void table_give(struct page *page)
{
    mempool_free(&reserve, worker_index(), page);
}

uint64_t table_pages(void)
{
    return __atomic_load_n(&tables_taken, __ATOMIC_RELAXED);
}

int tables_check(void)
{
    return mempool_check(&reserve);
}

/* Gives the kernel a page as a table. The kernel's error: the page has been given back. */
static int give(struct space *space, struct page *page) REQUIRES(space->lock)
{
    struct map_item *item = (struct map_item *)ipc_buffer()->words;
    *item = (struct map_item){MAP_ITEM_TABLE, page_address(page)};
    long result = sys_map(SLOT_PHYSICAL, space->aspace.slot, 1);
    if (result != 1) {
        table_give(page);
        return (int)result;
    }
    space->tables++;
    return 0;
}

int space_give_table_locked(struct space *space)
{
    struct page *page = table_take();
    return page ? give(space, page) : -ENOMEM;
}

int space_give_table_for_more_locked(struct space *space)
{
    struct page *page = take(GFP_RESERVED);
    return page ? give(space, page) : -ENOMEM;
}

long space_give_reserved_table_locked(struct space *space)
{
    struct page *page = mempool_alloc(&reserve, worker_index());
    ASSERT(page != NULL);
    int error = page ? give(space, page) : -ENOMEM;
    if (error)
        (void)sys_yield(); /* not to be expected; others may give some back */
    return 0;
}

void space_give_tables_locked(struct space *space, uint64_t count)
{
    struct map_item *items = (struct map_item *)ipc_buffer()->words;
    struct page *pages[TABLES_AT_ONCE];
    uint64_t taken = 0;

    ASSERT(count <= TABLES_AT_ONCE);
    while (taken < count && (pages[taken] = table_take()))
        taken++;
    for (uint64_t i = 0; i < taken; i++)
        items[i] = (struct map_item){MAP_ITEM_TABLE, page_address(pages[i])};
    const long result = taken ? sys_map(SLOT_PHYSICAL, space->aspace.slot, taken) : 0;
    const uint64_t given = result > 0 ? (uint64_t)result : 0;
    space->tables += given;
    while (taken > given)
        table_give(pages[--taken]);
}

static long spare_tables(const struct space *space, uint64_t *used)
{
    long spare = sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_INFO, 0, 0, used);
    ASSERT(spare >= 0);
    return spare;
}

int space_ready_to_change_locked(struct space *space, uint64_t start, uint64_t end, bool all)
{
    if (!space->shares_tables && !space->huge_entries)
        return 0;
    uint64_t needed = all && space->shares_tables ? (end - start) / HUGE_PAGE_SIZE + 2 : 2;
    if (space->huge_entries)
        needed++; /* one between the ends is split before it goes: see space_give_reserved_table_locked() */
    int error = 0;
    /* An answer on its way may use tables that are counted here. */
    space_wait_for_answers_locked(worker_current(), space);
    for (uint64_t spare = (uint64_t)spare_tables(space, NULL); spare < needed && !error; spare++)
        error = space_give_table_locked(space);
    return error;
}

void space_trim_tables_locked(struct space *space, uint64_t keep)
{
    const uint64_t *pfns = ipc_buffer()->words;
    uint64_t used;

    /* A worker whose answer was rejected finds out by the kernel's frame table which of its tables were not taken: one
     * that was taken and is given back here meanwhile would be freed twice. */
    space_wait_for_answers_locked(worker_current(), space);
    long spare = spare_tables(space, &used);

    while (spare > (long)keep) {
        long count =
            sys_aspace_control(SLOT_PHYSICAL, space->aspace.slot, ASPACE_TAKE_TABLES, (uint64_t)spare - keep, 0, NULL);
        ASSERT(count > 0);
        if (count <= 0)
            return;
        for (long i = 0; i < count; i++)
            table_give(page_of(pfns[i]));
        spare -= count;
    }
    space->tables = 1 + used + (uint64_t)spare;
}

void space_trim_now_and_then_locked(struct space *space)
{
    if (space->tables > TABLES_PLENTY + space->resident / PAGES_PER_TABLE)
        space_trim_tables_locked(space, TABLES_KEPT);
}

uint64_t space_count_tables_locked(struct space *space)
{
    uint64_t used;
    long spare = spare_tables(space, &used);
    return 1 + used + (uint64_t)spare;
}
