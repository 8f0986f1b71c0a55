/* SPDX-License-Identifier: MIT */
/* What the servers know of memory: see statistics.h. */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <proto/statistics.h>
#include <string.h>

#define KIB_PER_PAGE   (PAGE_SIZE / 1024)
#define SWAP_AREAS     (PROTO_DATA_MAX / sizeof(struct pager_swap_area))
#define USAGES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct memsrv_usage))
#define THOUSAND       1000u

/* A list that is being filled. */
struct list_filler {
    struct statistic *figures;
    size_t capacity, count;
};

static void add(struct list_filler *list, const char *name, uint64_t value)
{
    if (list->count < list->capacity)
        list->figures[list->count] = (struct statistic){.name = name, .value = value};
    list->count++;
}

static void add_pages(struct list_filler *list, const char *name, uint64_t pages)
{
    if (list->count < list->capacity)
        list->figures[list->count] =
            (struct statistic){.name = name, .value = pages * KIB_PER_PAGE, .unit = STATISTIC_KIB};
    list->count++;
}

static int finish(const struct list_filler *list, size_t *count)
{
    *count = list->count <= list->capacity ? list->count : 0;
    return list->count <= list->capacity ? 0 : -ENOBUFS;
}

/* An answer of one record. */
static int one(int error, size_t count)
{
    return error < 0 ? error : count == 1 ? 0 : -EPROTO;
}

/* --- Single questions --------------------------------------------------------------------------------------------- */

int statistics_zone(uint64_t index, struct memsrv_zone *zone)
{
    size_t count = 0;
    const int error = memsrv_zone_info(SLOT_MEMSRV, index, zone, 1, &count);
    return one(error, count);
}

bool statistics_pager(struct pager_info *info)
{
    size_t count = 0;

    memset(info, 0, sizeof(*info));
    if (sys_cap_query(SLOT_PAGER, NULL) > 0 && pager_info(SLOT_PAGER, info, 1, &count) == 0 && count == 1)
        return true;
    memset(info, 0, sizeof(*info));
    return false;
}

void statistics_swap(uint64_t *total, uint64_t *used)
{
    struct pager_swap_area areas[SWAP_AREAS];
    size_t count = 0;

    *total = *used = 0;
    if (sys_cap_query(SLOT_PAGER, NULL) <= 0 || pager_swap_list(SLOT_PAGER, areas, SWAP_AREAS, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        *total += areas[i].pages;
        *used += areas[i].used;
    }
}

uint64_t statistics_value(const struct statistic *figures, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(figures[i].name, name) == 0)
            return figures[i].value;
    }
    return 0;
}

static int read_counts(struct memsrv_page_counts *counts)
{
    size_t count = 0;
    const int error = memsrv_page_counts(SLOT_MEMSRV, counts, 1, &count);
    return one(error, count);
}

static int read_paging(struct memsrv_paging *paging)
{
    size_t count = 0;
    const int error = memsrv_paging_info(SLOT_MEMSRV, paging, 1, &count);
    return one(error, count);
}

/* --- meminfo ------------------------------------------------------------------------------------------------------ */

/* What programs could get: what is free and need not stay so, and half of the cache, or all but what is kept of it. */
static uint64_t available(const struct memsrv_page_counts *counts)
{
    struct memsrv_zone zone;
    uint64_t low = 0;

    for (uint64_t index = 0; statistics_zone(index, &zone) == 0; index++)
        low += zone.low;
    const uint64_t kept = counts->file / 2 < low ? counts->file / 2 : low;
    return (counts->free > low ? counts->free - low : 0) + counts->file - kept;
}

static void add_lists(struct list_filler *list, const struct pager_info *pager)
{
    add_pages(list, "Active", pager->active_anonymous + pager->active_file);
    add_pages(list, "Inactive", pager->inactive_anonymous + pager->inactive_file);
    add_pages(list, "Active(anon)", pager->active_anonymous);
    add_pages(list, "Inactive(anon)", pager->inactive_anonymous);
    add_pages(list, "Active(file)", pager->active_file);
    add_pages(list, "Inactive(file)", pager->inactive_file);
    add_pages(list, "Unevictable", pager->unevictable);
}

static void add_parts(struct list_filler *list, const struct memsrv_page_counts *counts)
{
    add_pages(list, "AnonPages", counts->anonymous);
    add_pages(list, "Shmem", counts->shared);
    add_pages(list, "Slab", counts->slab);
    add_pages(list, "PageTables", counts->table);
    add_pages(list, "Records", counts->records);
    add_pages(list, "Kernel", counts->kernel);
    add_pages(list, "Root", counts->root);
    add_pages(list, "BootArchive", counts->archive);
    add_pages(list, "DeviceTree", counts->tree);
    add_pages(list, "Firmware", counts->firmware);
    add_pages(list, "CommitLimit", counts->commit_limit);
    add_pages(list, "Committed_AS", counts->committed);
    add_pages(list, "VmallocUsed", counts->vmalloc);
    add_pages(list, "AnonHugePages", counts->huge);
}

int statistics_meminfo(struct statistic *figures, size_t capacity, size_t *count)
{
    struct list_filler list = {.figures = figures, .capacity = capacity};
    struct memsrv_page_counts counts;
    struct memsrv_paging paging;
    struct pager_info pager;
    uint64_t swap, swapped;

    *count = 0;
    int error = read_counts(&counts);
    if (error == 0)
        error = read_paging(&paging);
    if (error < 0)
        return error;
    (void)statistics_pager(&pager);
    statistics_swap(&swap, &swapped);
    add_pages(&list, "MemTotal", counts.total);
    add_pages(&list, "MemFree", counts.free);
    add_pages(&list, "MemAvailable", available(&counts));
    add_pages(&list, "Buffers", 0);
    add_pages(&list, "Cached", counts.file + counts.shared);
    add_pages(&list, "SwapCached", paging.swap_cache);
    add_lists(&list, &pager);
    add_pages(&list, "Mlocked", counts.locked);
    add_pages(&list, "SwapTotal", swap);
    add_pages(&list, "SwapFree", swap - swapped);
    add_pages(&list, "Dirty", counts.dirty);
    add_pages(&list, "Writeback", pager.writeback);
    add_parts(&list, &counts);
    return finish(&list, count);
}

/* --- vmstat ------------------------------------------------------------------------------------------------------- */

static int add_states(struct list_filler *list, const struct pager_info *pager)
{
    struct memsrv_page_counts counts;
    const int error = read_counts(&counts);

    if (error < 0)
        return error;
    add(list, "nr_free_pages", counts.free);
    add(list, "nr_inactive_anon", pager->inactive_anonymous);
    add(list, "nr_active_anon", pager->active_anonymous);
    add(list, "nr_inactive_file", pager->inactive_file);
    add(list, "nr_active_file", pager->active_file);
    add(list, "nr_unevictable", pager->unevictable);
    add(list, "nr_mlock", counts.locked);
    add(list, "nr_anon_pages", counts.anonymous);
    add(list, "nr_file_pages", counts.file + counts.shared);
    add(list, "nr_dirty", counts.dirty);
    add(list, "nr_writeback", pager->writeback);
    add(list, "nr_shmem", counts.shared);
    add(list, "nr_page_table_pages", counts.table);
    add(list, "nr_slab_unreclaimable", counts.slab);
    add(list, "nr_anon_transparent_hugepages", counts.huge >> HUGE_PAGE_ORDER);
    return 0;
}

static int add_faults(struct list_filler *list)
{
    struct memsrv_vmstat vmstat;
    size_t records = 0;
    const int error = memsrv_vm_info(SLOT_MEMSRV, &vmstat, 1, &records);

    if (one(error, records) < 0)
        return one(error, records);
    add(list, "pgfault", vmstat.faults);
    add(list, "pgmajfault", vmstat.fault_major);
    add(list, "pgfault_anonymous", vmstat.fault_anonymous);
    add(list, "pgfault_zero", vmstat.fault_zero);
    add(list, "pgfault_copy", vmstat.fault_copy);
    add(list, "pgreuse", vmstat.fault_reuse);
    add(list, "pgfault_swap", vmstat.fault_swap);
    add(list, "pgfault_object", vmstat.fault_object);
    add(list, "pgfault_huge", vmstat.fault_huge);
    add(list, "pgfault_spurious", vmstat.fault_spurious);
    add(list, "pgfault_refused", vmstat.fault_refused);
    add(list, "pgfault_repeated", vmstat.fault_repeated);
    add(list, "stack_growth", vmstat.stack_growth);
    return 0;
}

static int add_allocations(struct list_filler *list)
{
    struct memsrv_alloc alloc;
    struct memsrv_thp thp;
    size_t allocs = 0, thps = 0;
    int error = memsrv_alloc_info(SLOT_MEMSRV, &alloc, 1, &allocs);

    if (error == 0)
        error = memsrv_thp_info(SLOT_MEMSRV, &thp, 1, &thps);
    if (error < 0 || allocs != 1 || thps != 1)
        return error < 0 ? error : -EPROTO;
    add(list, "allocstall", alloc.reclaims);
    add(list, "kswapd_wakeups", alloc.wakeups);
    add(list, "alloc_failed", alloc.failures);
    add(list, "thp_fault_alloc", thp.fault_alloc);
    add(list, "thp_fault_fallback", thp.fault_fallback);
    add(list, "thp_collapse_alloc", thp.collapse_alloc);
    add(list, "thp_collapse_alloc_failed", thp.collapse_alloc_failed);
    add(list, "thp_split_page", thp.split);
    add(list, "thp_underused_split_page", thp.underused);
    return 0;
}

int statistics_vmstat(struct statistic *figures, size_t capacity, size_t *count)
{
    struct list_filler list = {.figures = figures, .capacity = capacity};
    struct pager_info pager;

    *count = 0;
    (void)statistics_pager(&pager);
    int error = add_states(&list, &pager);
    if (error == 0)
        error = add_faults(&list);
    if (error == 0)
        error = add_allocations(&list);
    if (error < 0)
        return error;
    add(&list, "pgpgin", pager.read * KIB_PER_PAGE);
    add(&list, "pgpgout", pager.written * KIB_PER_PAGE);
    add(&list, "pswpin", pager.swapped_in);
    add(&list, "pswpout", pager.swapped_out);
    add(&list, "pgscan", pager.scanned);
    add(&list, "pgsteal", pager.reclaimed);
    add(&list, "workingset_refault", pager.refaults);
    add(&list, "oom_kill", pager.oom_kills);
    return finish(&list, count);
}

/* --- Fragmentation ------------------------------------------------------------------------------------------------ */

/* Free pages, blocks, and blocks of at least an order. */
static void count_blocks(const struct memsrv_buddy *buddy, unsigned order, uint64_t *pages, uint64_t *blocks,
                         uint64_t *suitable)
{
    *pages = *blocks = *suitable = 0;
    for (unsigned i = 0; i < MEMSRV_BUDDY_ORDERS; i++) {
        *blocks += buddy->blocks[i];
        *pages += buddy->blocks[i] << i;
        if (i >= order)
            *suitable += buddy->blocks[i] << (i - order);
    }
}

int64_t statistics_extfrag_index(const struct memsrv_buddy *buddy, unsigned order)
{
    const uint64_t wanted = 1UL << order;
    uint64_t pages, blocks, suitable;

    count_blocks(buddy, order, &pages, &blocks, &suitable);
    if (blocks == 0)
        return 0;
    if (suitable > 0)
        return -(int64_t)THOUSAND;
    return (int64_t)THOUSAND - (int64_t)((THOUSAND + pages * THOUSAND / wanted) / blocks);
}

uint64_t statistics_unusable_index(const struct memsrv_buddy *buddy, unsigned order)
{
    uint64_t pages, blocks, suitable;

    count_blocks(buddy, order, &pages, &blocks, &suitable);
    return pages ? (pages - (suitable << order)) * THOUSAND / pages : 0;
}

/* --- Processes ---------------------------------------------------------------------------------------------------- */

static void join(struct memsrv_usage *area, const struct memsrv_usage *part)
{
    area->end = part->end;
    area->rss += part->rss;
    area->pss += part->pss;
    area->shared_clean += part->shared_clean;
    area->shared_dirty += part->shared_dirty;
    area->private_clean += part->private_clean;
    area->private_dirty += part->private_dirty;
    area->referenced += part->referenced;
    area->anonymous += part->anonymous;
    area->huge += part->huge;
    area->swap += part->swap;
}

int statistics_usage(uint64_t pid, int (*visit)(void *context, const struct memsrv_usage *area), void *context)
{
    struct memsrv_usage parts[USAGES_AT_ONCE], area = {0};
    uint64_t cursor = 0;
    bool any = false;
    int result = 0;

    do {
        size_t count = 0;
        const int error = memsrv_space_usage(SLOT_MEMSRV, pid, cursor, &cursor, parts, USAGES_AT_ONCE, &count);
        if (error < 0)
            return error;
        for (size_t i = 0; i < count && result == 0; i++) {
            if (any && parts[i].area == area.area && parts[i].start == area.end) {
                join(&area, &parts[i]);
                continue;
            }
            result = any ? visit(context, &area) : 0;
            area = parts[i];
            any = true;
        }
    } while (cursor != 0 && result == 0);
    return any && result == 0 ? visit(context, &area) : result;
}
