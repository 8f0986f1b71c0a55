/* SPDX-License-Identifier: MIT */
/* Charging pages to groups: see memgroups.h. */
#include "memgroups.h"

#include <errno.h>

#include <proto/memsrv_dispatch.h>

#include "space_pages.h"
#include "swap.h"

#define STOCK_PAGES 32u /* that a worker charges at a time */
#define STOCK_MOST  64u
#define NO_STOCK    0UL

_Static_assert(MEMGROUPS_MAX <= MEMGROUP_NONE, "numbers fit");

static struct spinlock memgroups_lock;
static struct memgroup records[MEMGROUPS_MAX] GUARDED_BY(memgroups_lock);
static struct memgroups groups GUARDED_BY(memgroups_lock);
static uint32_t members[MEMGROUPS_MAX] GUARDED_BY(memgroups_lock); /* processes right in each group */
static uint32_t group_count = 1;                                   /* atomic: the root included */

/* A worker's stock: number of the group and pages of anonymous memory, in one word, which others may take away. */
static uint64_t stock_of(uint32_t group, uint64_t pages)
{
    return (uint64_t)group << 32 | pages;
}

static uint32_t stock_group(uint64_t stock)
{
    return (uint32_t)(stock >> 32);
}

static uint64_t stock_pages(uint64_t stock)
{
    return stock & UINT32_MAX;
}

void memgroups_init(void)
{
    spinlock_init(&memgroups_lock, LOCK_MEMGROUPS);
    spinlock_acquire(&memgroups_lock);
    int error = memgroup_init(&groups, records, MEMGROUPS_MAX);
    spinlock_release(&memgroups_lock);
    ASSERT(error == 0);
    (void)error;
}

bool memgroups_exist(void)
{
    return __atomic_load_n(&group_count, __ATOMIC_RELAXED) > 1;
}

/* --- Stocks ------------------------------------------------------------------------------------------------------- */

static void drain_stock(struct memsrv_context *worker) REQUIRES(memgroups_lock)
{
    const uint64_t stock = __atomic_exchange_n(&worker->group_stock, NO_STOCK, __ATOMIC_RELAXED);
    if (stock_pages(stock))
        memgroup_uncharge(&groups, stock_group(stock), MEMGROUP_ANON, stock_pages(stock));
}

static void drain_stocks(void) REQUIRES(memgroups_lock)
{
    for (uint32_t i = 0; i < worker_count; i++)
        drain_stock(&workers[i]);
}

/* Takes a page from the worker's stock. False: it is another group's, or empty. */
static bool take_stock(struct memsrv_context *worker, uint32_t group)
{
    uint64_t stock = __atomic_load_n(&worker->group_stock, __ATOMIC_RELAXED);
    return stock_group(stock) == group && stock_pages(stock) &&
           __atomic_compare_exchange_n(&worker->group_stock, &stock, stock - 1, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* Puts a page that was charged back into the stock. False: that is another group's, or full. */
static bool give_stock(struct memsrv_context *worker, uint32_t group)
{
    uint64_t stock = __atomic_load_n(&worker->group_stock, __ATOMIC_RELAXED);
    return stock_group(stock) == group && stock_pages(stock) && stock_pages(stock) < STOCK_MOST &&
           __atomic_compare_exchange_n(&worker->group_stock, &stock, stock + 1, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* --- Charging ----------------------------------------------------------------------------------------------------- */

/* Charges one page, and fills the worker's stock if there is room for that. */
static int charge_locked(struct memsrv_context *worker, uint32_t group, enum memgroup_kind kind)
    REQUIRES(memgroups_lock)
{
    uint32_t full = MEMGROUP_ROOT;

    drain_stock(worker);
    if (kind == MEMGROUP_ANON && memgroup_charge(&groups, group, kind, STOCK_PAGES, NULL) == 0) {
        __atomic_store_n(&worker->group_stock, stock_of(group, STOCK_PAGES - 1), __ATOMIC_RELAXED);
        return 0;
    }
    int error = memgroup_charge(&groups, group, kind, 1, &full);
    if (error == -ENOMEM) {
        drain_stocks();
        error = memgroup_charge(&groups, group, kind, 1, &full);
    }
    worker->group_full = error == -ENOMEM ? full : MEMGROUP_ROOT;
    return error;
}

static void mark(struct page *page, uint32_t group, enum memgroup_kind kind)
{
    page->flags |= group << PAGE_CHARGED_SHIFT | (kind == MEMGROUP_FILE ? PAGE_CHARGED_FILE : 0);
}

int memgroups_charge_page(struct memsrv_context *worker, uint32_t group, enum memgroup_kind kind, struct page *page)
{
    int error = 0;

    if (kind != MEMGROUP_ANON || !take_stock(worker, group)) {
        spinlock_acquire(&memgroups_lock);
        error = charge_locked(worker, group, kind);
        spinlock_release(&memgroups_lock);
    }
    if (error == 0)
        mark(page, group, kind);
    return error == -ENOMEM ? error : 0; /* a group that is no more has no limit */
}

void memgroups_uncharge_page(struct memsrv_context *worker, struct page *page)
{
    const uint32_t group = memgroups_group_of(page);
    const enum memgroup_kind kind = page->flags & PAGE_CHARGED_FILE ? MEMGROUP_FILE : MEMGROUP_ANON;

    page->flags &= ~PAGE_CHARGED;
    if (kind == MEMGROUP_ANON && give_stock(worker, group))
        return;
    spinlock_acquire(&memgroups_lock);
    memgroup_uncharge(&groups, group, kind, 1);
    spinlock_release(&memgroups_lock);
}

struct page *memgroups_take_charged(struct memsrv_context *worker, const struct space *space) NO_THREAD_SAFETY_ANALYSIS
{
    struct page *page = user_page_take(worker);

    if (!page || memgroups_charge_page(worker, space->standing.group, MEMGROUP_ANON, page) == 0)
        return page;
    user_page_give(worker, page);
    return NULL;
}

struct page *memgroups_take_always(struct memsrv_context *worker, const struct space *space) NO_THREAD_SAFETY_ANALYSIS
{
    struct page *page = user_page_take(worker);
    const uint32_t group = space->standing.group;

    if (!page || group == MEMGROUP_ROOT)
        return page;
    spinlock_acquire(&memgroups_lock);
    memgroup_charge_always(&groups, group, MEMGROUP_ANON, 1);
    spinlock_release(&memgroups_lock);
    mark(page, group, MEMGROUP_ANON);
    return page;
}

int memgroups_charge_slot(uint32_t group)
{
    if (group == MEMGROUP_ROOT)
        return 0;
    spinlock_acquire(&memgroups_lock);
    int error = memgroup_charge(&groups, group, MEMGROUP_SWAP, 1, NULL);
    spinlock_release(&memgroups_lock);
    return error;
}

void memgroups_uncharge_slot(uint32_t group)
{
    if (group == MEMGROUP_ROOT)
        return;
    spinlock_acquire(&memgroups_lock);
    memgroup_uncharge(&groups, group, MEMGROUP_SWAP, 1);
    spinlock_release(&memgroups_lock);
}

bool memgroups_have_room(struct memsrv_context *worker, uint32_t group)
{
    uint32_t full = MEMGROUP_ROOT;

    spinlock_acquire(&memgroups_lock);
    int error = memgroup_charge(&groups, group, MEMGROUP_FILE, 1, &full);
    if (error == -ENOMEM) {
        drain_stocks();
        error = memgroup_charge(&groups, group, MEMGROUP_FILE, 1, &full);
    }
    if (error == 0)
        memgroup_uncharge(&groups, group, MEMGROUP_FILE, 1);
    spinlock_release(&memgroups_lock);
    worker->group_full = error == -ENOMEM ? full : MEMGROUP_ROOT;
    return error != -ENOMEM;
}

/* --- Members ------------------------------------------------------------------------------------------------------ */

void memgroups_join(uint32_t group)
{
    spinlock_acquire(&memgroups_lock);
    members[group]++;
    spinlock_release(&memgroups_lock);
}

void memgroups_leave(uint32_t group)
{
    spinlock_acquire(&memgroups_lock);
    ASSERT(members[group] > 0);
    members[group]--;
    spinlock_release(&memgroups_lock);
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

int memsrv_handle_memgroup_create(struct memsrv_context *context, const struct message *request, uint64_t parent,
                                  uint64_t *group)
{
    spinlock_acquire(&memgroups_lock);
    const int64_t number = parent < MEMGROUPS_MAX ? memgroup_create(&groups, (uint32_t)parent) : -EINVAL;
    spinlock_release(&memgroups_lock);
    if (number < 0)
        return (int)number;
    __atomic_fetch_add(&group_count, 1, __ATOMIC_RELAXED);
    *group = (uint64_t)number;
    return 0;
}

int memsrv_handle_memgroup_destroy(struct memsrv_context *context, const struct message *request, uint64_t group)
{
    int error = group < MEMGROUPS_MAX ? 0 : -EINVAL;

    spinlock_acquire(&memgroups_lock);
    drain_stocks();
    if (!error && group != MEMGROUP_ROOT && (members[group] || records[group].memory || records[group].swap))
        error = -EBUSY;
    if (!error)
        error = memgroup_destroy(&groups, (uint32_t)group);
    spinlock_release(&memgroups_lock);
    if (!error)
        __atomic_fetch_sub(&group_count, 1, __ATOMIC_RELAXED);
    return error;
}

int memsrv_handle_memgroup_limit(struct memsrv_context *context, const struct message *request, uint64_t group,
                                 uint64_t memory, uint64_t swap)
{
    spinlock_acquire(&memgroups_lock);
    int error = group < MEMGROUPS_MAX ? memgroup_limit(&groups, (uint32_t)group, memory, swap) : -EINVAL;
    spinlock_release(&memgroups_lock);
    return error;
}

int memsrv_handle_memgroup_move(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                uint64_t group)
{
    struct space *space = space_find(pid);
    uint32_t before = MEMGROUP_ROOT;
    int error = 0;

    if (!space_enter(space, pid))
        return -ESRCH;
    spinlock_acquire(&memgroups_lock);
    if (group >= MEMGROUPS_MAX || !records[group].used) {
        error = -EINVAL;
    } else if (!space_has_memory(space) || space->roles) {
        error = -EPERM;
    } else {
        before = space->standing.group;
        members[before]--;
        members[group]++;
        space->standing.group = (uint32_t)group;
    }
    spinlock_release(&memgroups_lock);
    space_leave(space);
    return error;
}

int memsrv_handle_memgroups_info(struct memsrv_context *context, const struct message *request, uint64_t cursor,
                                 uint64_t *next, struct memsrv_memgroup *infos, size_t infos_capacity,
                                 size_t *infos_count)
{
    size_t count = 0;

    spinlock_acquire(&memgroups_lock);
    drain_stocks();
    for (; cursor < MEMGROUPS_MAX && count < infos_capacity; cursor++) {
        const struct memgroup *record = &records[cursor];
        if (!record->used)
            continue;
        infos[count++] = (struct memsrv_memgroup){.group = cursor,
                                                  .parent = cursor ? record->parent : MEMGROUP_ROOT,
                                                  .processes = members[cursor],
                                                  .limit = record->limit,
                                                  .swap_limit = record->swap_limit,
                                                  .memory = record->memory,
                                                  .swap = record->swap,
                                                  .anonymous = record->own[MEMGROUP_ANON],
                                                  .file = record->own[MEMGROUP_FILE],
                                                  .most = record->most,
                                                  .refusals = record->refusals,
                                                  .kills = record->kills};
    }
    spinlock_release(&memgroups_lock);
    *infos_count = count;
    *next = cursor < MEMGROUPS_MAX ? cursor : 0;
    return 0;
}

void memgroups_find_inner(uint32_t group, bool inner[MEMGROUPS_MAX])
{
    spinlock_acquire(&memgroups_lock);
    for (uint32_t i = 0; i < MEMGROUPS_MAX; i++)
        inner[i] = i != MEMGROUP_ROOT && memgroup_is_in(&groups, i, group);
    spinlock_release(&memgroups_lock);
}

void memgroups_count_kill(uint32_t group)
{
    spinlock_acquire(&memgroups_lock);
    records[group].kills += records[group].used;
    spinlock_release(&memgroups_lock);
}

/* --- The walker --------------------------------------------------------------------------------------------------- */

/* What pages say that each group has. */
static void count_pages(uint64_t pages[MEMGROUPS_MAX][2])
{
    for (uint64_t pfn = 0; pfn < MEM_MAP_PFN_END; pfn++) {
        if (!mem_map_present(&memory_map, pfn)) {
            pfn |= MEM_SUBSECTION_PAGES - 1;
            continue;
        }
        const uint32_t flags = page_of(pfn)->flags;
        if (flags & PAGE_CHARGED_GROUP)
            pages[(flags & PAGE_CHARGED_GROUP) >> PAGE_CHARGED_SHIFT][!!(flags & PAGE_CHARGED_FILE)]++;
    }
}

int memgroups_check(void)
{
    static uint64_t pages[MEMGROUPS_MAX][2], slots[MEMGROUPS_MAX];

    swap_count_groups(slots);
    spinlock_acquire(&memgroups_lock);
    drain_stocks();
    int error = memgroup_check(&groups);
    if (memgroups_exist()) {
        memset(pages, 0, sizeof(pages));
        count_pages(pages);
        for (uint32_t i = 1; i < MEMGROUPS_MAX; i++) {
            if (pages[i][0] != records[i].own[MEMGROUP_ANON] || pages[i][1] != records[i].own[MEMGROUP_FILE] ||
                slots[i] != records[i].own[MEMGROUP_SWAP])
                error = -EIO;
        }
    }
    spinlock_release(&memgroups_lock);
    return error;
}
