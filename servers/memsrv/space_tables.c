/* SPDX-License-Identifier: MIT */
/* Translation tables: see space_tables.h. */
#include <errno.h>

#include <quire/syscall.h>

#include "memory.h"
#include "space_pages.h"
#include "space_tables.h"

/* Tables to leave with the kernel, and from when on it is worth asking for the others. */
#define TABLES_KEPT     6u
#define TABLES_PLENTY   24u
#define PAGES_PER_TABLE 256u

static uint64_t tables_given; /* to all spaces; atomic */

struct page *table_take(void)
{
    struct page *page = system_page_take(PAGE_TABLE);
    if (page)
        __atomic_fetch_add(&tables_given, 1, __ATOMIC_RELAXED);
    return page;
}

void table_give(struct page *page)
{
    __atomic_fetch_sub(&tables_given, 1, __ATOMIC_RELAXED);
    system_page_give(page);
}

uint64_t table_pages(void)
{
    return __atomic_load_n(&tables_given, __ATOMIC_RELAXED);
}

int space_give_table_locked(struct space *space)
{
    struct page *page = table_take();
    if (!page)
        return -ENOMEM;
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
    int error = 0;
    for (uint64_t spare = (uint64_t)spare_tables(space, NULL); spare < needed && !error; spare++)
        error = space_give_table_locked(space);
    return error;
}

long space_wait_for_table_locked(struct space *space)
{
    while (space_give_table_locked(space) != 0)
        (void)sys_yield();
    return 0;
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
