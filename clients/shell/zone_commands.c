/* SPDX-License-Identifier: MIT */
/*
 * Commands about physical memory: questions to memsrv. The formats are those of Linux's files of the same names.
 */
#include "command.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <stdio.h>
#include <string.h>

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

/* Gets zone `index`; ENOENT behind the last. */
static int zone_get(uint64_t index, struct memsrv_zone *zone)
{
    size_t count;
    const int error = memsrv_zone_info(SLOT_MEMSRV, index, zone, 1, &count);
    if (error < 0)
        return error;
    return count == 1 ? 0 : -EPROTO;
}

static int print_zones(void)
{
    struct memsrv_zone zone;
    int error;

    printf("zone         managed KiB     used KiB     free KiB\n");
    for (uint64_t index = 0; (error = zone_get(index, &zone)) == 0; index++) {
        if (zone.managed == 0)
            continue;
        printf("%-8.*s %15lu %12lu %12lu\n", (int)sizeof(zone.name), zone.name,
               (unsigned long)zone.managed * KIB_PER_PAGE, (unsigned long)(zone.managed - zone.free) * KIB_PER_PAGE,
               (unsigned long)zone.free * KIB_PER_PAGE);
    }
    return error == -ENOENT ? 0 : error;
}

/* One line of the table of all pages; returns the pages, to be added up. */
static uint64_t print_pages(const char *what, uint64_t pages)
{
    printf("%-28s %10lu pages %12lu KiB\n", what, (unsigned long)pages, (unsigned long)pages * KIB_PER_PAGE);
    return pages;
}

static int command_mem(int count, char **arguments)
{
    struct memsrv_memory memory;
    uint64_t sum = 0;
    size_t records = 0;

    (void)count, (void)arguments;
    int error = print_zones();
    if (error == 0)
        error = memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &records);
    if (error < 0)
        return error;
    if (records != 1)
        return -EPROTO;
    printf("\n");
    sum += print_pages("free, buddy allocator", memory.free);
    sum += print_pages("free, lists of the workers", memory.lists);
    sum += print_pages("address spaces", memory.user);
    sum += print_pages("translation tables", memory.table);
    sum += print_pages("kernel objects", memory.object);
    sum += print_pages("memsrv's records", memory.metadata);
    sum += print_pages("kernel", memory.kernel);
    sum += print_pages("root", memory.root);
    sum += print_pages("boot archive", memory.archive);
    sum += print_pages("device tree", memory.tree);
    sum += print_pages("firmware", memory.firmware);
    print_pages("total", memory.total);
    if (sum != memory.total)
        printf("mem: the parts add up to %lu pages, not to the total\n", (unsigned long)sum);
    return 0;
}

/* The format of Linux's /proc/buddyinfo, which leaves out zones without memory. */
static int command_buddyinfo(int count, char **arguments)
{
    struct memsrv_zone zone;
    struct memsrv_buddy buddy;
    size_t records = 0;
    int error;

    (void)count, (void)arguments;
    for (uint64_t index = 0; (error = zone_get(index, &zone)) == 0; index++) {
        if (zone.managed == 0)
            continue;
        error = memsrv_buddy_info(SLOT_MEMSRV, index, &buddy, 1, &records);
        if (error < 0 || records != 1)
            return error < 0 ? error : -EPROTO;
        printf("Node 0, zone %8.*s ", (int)sizeof(buddy.name), buddy.name);
        for (size_t order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
            printf("%6lu ", (unsigned long)buddy.blocks[order]);
        printf("\n");
    }
    return error == -ENOENT ? 0 : error;
}

static void print_zone(const struct memsrv_zone *zone)
{
    printf("Node 0, zone %8.*s\n", (int)sizeof(zone->name), zone->name);
    printf("  pages free     %lu\n", (unsigned long)zone->free);
    printf("        min      %lu\n", (unsigned long)zone->min);
    printf("        low      %lu\n", (unsigned long)zone->low);
    printf("        high     %lu\n", (unsigned long)zone->high);
    printf("        spanned  %lu\n", (unsigned long)zone->spanned);
    printf("        present  %lu\n", (unsigned long)zone->present);
    printf("        managed  %lu\n", (unsigned long)zone->managed);
    printf("        deferred %lu\n", (unsigned long)zone->deferred);
    printf("        protection: (%lu, %lu, %lu)\n", (unsigned long)zone->protection[0],
           (unsigned long)zone->protection[1], (unsigned long)zone->protection[2]);
    printf("      pgalloc  %lu\n      pgfree   %lu\n", (unsigned long)zone->allocations, (unsigned long)zone->frees);
    printf("      fallback %lu\n      steal    %lu\n", (unsigned long)zone->fallbacks, (unsigned long)zone->steals);
}

static void print_page_lists(const struct memsrv_zone *zone)
{
    printf("  pagesets\n");
    for (uint64_t cpu = 0; cpu < zone->workers && cpu < MEMSRV_WORKERS; cpu++) {
        printf("    cpu: %lu\n", (unsigned long)cpu);
        printf("              count:     %lu\n", (unsigned long)(zone->list_movable[cpu] + zone->list_unmovable[cpu]));
        printf("              high:      %lu\n", (unsigned long)zone->list_high);
        printf("              batch:     %lu\n", (unsigned long)zone->list_batch);
        printf("              movable:   %lu\n", (unsigned long)zone->list_movable[cpu]);
        printf("              unmovable: %lu\n", (unsigned long)zone->list_unmovable[cpu]);
    }
    printf("  start_pfn:           %lu\n", (unsigned long)zone->start);
}

/* Like /proc/zoneinfo; `free` there are the pages free in the zone, and the figures of reclaim are missing. */
static int command_zoneinfo(int count, char **arguments)
{
    struct memsrv_zone zone;
    int error;

    (void)count, (void)arguments;
    for (uint64_t index = 0; (error = zone_get(index, &zone)) == 0; index++) {
        if (zone.managed == 0)
            continue;
        print_zone(&zone);
        print_page_lists(&zone);
    }
    return error == -ENOENT ? 0 : error;
}

static int pagetype_get(uint64_t index, struct memsrv_pagetype *pagetype)
{
    size_t records = 0;
    const int error = memsrv_pagetype_info(SLOT_MEMSRV, index, pagetype, 1, &records);
    if (error < 0)
        return error;
    return records == 1 ? 0 : -EPROTO;
}

static const char *const migrate_names[MEMSRV_MIGRATE_TYPES] = {"Unmovable", "Movable", "Reclaimable"};

static void print_blocks_by_type(const struct memsrv_pagetype *pagetype)
{
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++) {
        printf("Node %4d, zone %8.*s, type %12s ", 0, (int)sizeof(pagetype->name), pagetype->name, migrate_names[type]);
        for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
            printf("%6lu ", (unsigned long)pagetype->blocks[type * MEMSRV_BUDDY_ORDERS + order]);
        printf("\n");
    }
}

static void print_pageblocks(const struct memsrv_pagetype *pagetype)
{
    printf("Node %d, zone %8.*s ", 0, (int)sizeof(pagetype->name), pagetype->name);
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++)
        printf("%12lu ", (unsigned long)pagetype->pageblocks[type]);
    printf("\n");
}

/* Calls `print` for each zone with memory. */
static int for_each_pagetype(void (*print)(const struct memsrv_pagetype *))
{
    struct memsrv_zone zone;
    struct memsrv_pagetype pagetype;
    int error;

    for (uint64_t index = 0; (error = zone_get(index, &zone)) == 0; index++) {
        if (zone.managed == 0)
            continue;
        error = pagetype_get(index, &pagetype);
        if (error < 0)
            return error;
        print(&pagetype);
    }
    return error == -ENOENT ? 0 : error;
}

/* Like /proc/pagetypeinfo. */
static int command_pagetypeinfo(int count, char **arguments)
{
    (void)count, (void)arguments;
    printf("Page block order: %u\nPages per block:  %u\n\n", HUGE_PAGE_ORDER, 1u << HUGE_PAGE_ORDER);
    printf("%-43s ", "Free pages count per migrate type at order");
    for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
        printf("%6u ", order);
    printf("\n");
    const int error = for_each_pagetype(print_blocks_by_type);
    if (error < 0)
        return error;
    printf("\n%-23s", "Number of blocks type ");
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++)
        printf("%12s ", migrate_names[type]);
    printf("\n");
    return for_each_pagetype(print_pageblocks);
}

static int command_allocinfo(int count, char **arguments)
{
    struct memsrv_alloc alloc;
    size_t records = 0;

    (void)count, (void)arguments;
    const int error = memsrv_alloc_info(SLOT_MEMSRV, &alloc, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    printf("requests %lu\nslow     %lu\nfallback %lu\nwakeups  %lu\nreclaims %lu\ndrains   %lu\nfailures %lu\n",
           (unsigned long)alloc.requests, (unsigned long)alloc.slow, (unsigned long)alloc.fallback,
           (unsigned long)alloc.wakeups, (unsigned long)alloc.reclaims, (unsigned long)alloc.drains,
           (unsigned long)alloc.failures);
    return 0;
}

static int thp_get(struct memsrv_thp *thp)
{
    size_t records = 0;
    const int error = memsrv_thp_info(SLOT_MEMSRV, thp, 1, &records);

    return error == 0 && records != 1 ? -EPROTO : error;
}

/* thp POLICY, thp scan MS PLACES: the other settings stay. */
static int set_thp(int count, char **arguments)
{
    static const char *const names[] = {"never", "madvise", "always"};
    unsigned long sleep, places;
    struct memsrv_thp thp;

    const int error = thp_get(&thp);
    if (error < 0)
        return error;
    if (count == 4 && strcmp(arguments[1], "scan") == 0) {
        if (parse_number(arguments[2], &sleep) < 0 || parse_number(arguments[3], &places) < 0)
            return -EINVAL;
        return root_thp_set(SLOT_ROOT, thp.policy, sleep, places);
    }
    for (uint64_t policy = 0; count == 2 && policy < sizeof(names) / sizeof(names[0]); policy++)
        if (strcmp(arguments[1], names[policy]) == 0)
            return root_thp_set(SLOT_ROOT, policy, thp.scan_sleep, thp.scan_places);
    return -EINVAL;
}

/* Names as in /proc/meminfo, /proc/vmstat and /sys/kernel/mm/transparent_hugepage. */
static int command_thp(int count, char **arguments)
{
    static const char *const policies[] = {"always madvise [never]", "always [madvise] never",
                                           "[always] madvise never"};
    struct memsrv_thp thp;

    if (count > 1)
        return set_thp(count, arguments);
    const int error = thp_get(&thp);
    if (error < 0)
        return error;
    printf("enabled                   %s\n", thp.policy < 3 ? policies[thp.policy] : "?");
    printf("AnonHugePages             %lu kB\n", (unsigned long)thp.pages << (PAGE_SHIFT - 10));
    printf("thp_fault_alloc           %lu\nthp_fault_fallback        %lu\n", (unsigned long)thp.fault_alloc,
           (unsigned long)thp.fault_fallback);
    printf("thp_collapse_alloc        %lu\nthp_collapse_alloc_failed %lu\n", (unsigned long)thp.collapse_alloc,
           (unsigned long)thp.collapse_alloc_failed);
    printf("thp_split_page            %lu\nthp_underused_split_page  %lu\n", (unsigned long)thp.split,
           (unsigned long)thp.underused);
    printf("khugepaged\n  scan_sleep_millisecs    %lu\n  pages_to_scan           %lu\n", (unsigned long)thp.scan_sleep,
           (unsigned long)thp.scan_places << HUGE_PAGE_ORDER);
    printf("  pages_scanned           %lu\n  full_scans              %lu\n",
           (unsigned long)thp.scanned << HUGE_PAGE_ORDER, (unsigned long)thp.full_scans);
    return 0;
}

static int command_vmstat(int count, char **arguments)
{
    struct memsrv_vmstat vmstat;
    size_t records = 0;

    (void)count, (void)arguments;
    const int error = memsrv_vm_info(SLOT_MEMSRV, &vmstat, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {{"pgfault", vmstat.faults},
                 {"pgfault_anonymous", vmstat.fault_anonymous},
                 {"pgfault_zero", vmstat.fault_zero},
                 {"pgfault_copy", vmstat.fault_copy},
                 {"pgreuse", vmstat.fault_reuse},
                 {"pgfault_swap", vmstat.fault_swap},
                 {"pgfault_object", vmstat.fault_object},
                 {"pgfault_huge", vmstat.fault_huge},
                 {"pgfault_spurious", vmstat.fault_spurious},
                 {"pgfault_refused", vmstat.fault_refused},
                 {"pgfault_repeated", vmstat.fault_repeated},
                 {"stack_growth", vmstat.stack_growth}};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        printf("%-17s %lu\n", lines[i].name, (unsigned long)lines[i].value);
    return 0;
}

const struct command zone_commands[] = {
    {"mem", "", "shows where the machine's memory is", 0, 0, command_mem},
    {"buddyinfo", "", "shows the free blocks by size", 0, 0, command_buddyinfo},
    {"zoneinfo", "", "shows the zones: watermarks, reserves, page lists", 0, 0, command_zoneinfo},
    {"pagetypeinfo", "", "shows the free blocks by mobility and size", 0, 0, command_pagetypeinfo},
    {"allocinfo", "", "shows what became of requests for pages", 0, 0, command_allocinfo},
    {"vmstat", "", "shows what became of faults", 0, 0, command_vmstat},
    {"thp", "[POLICY|scan MS PLACES]", "shows the huge pages, or sets who gets them", 0, 3, command_thp},
    {0},
};
