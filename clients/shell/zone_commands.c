/* SPDX-License-Identifier: MIT */
/*
 * Commands about physical memory: questions to memsrv. The formats are those of Linux's files of the same names.
 */
#include "command.h"
#include "output.h"
#include "zones.h"

#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <proto/statistics.h>
#include <stdio.h>
#include <string.h>

#define KIB_PER_PAGE     (PAGE_SIZE / 1024)
#define ALLOCINFO_COLUMN 8

int for_each_zone(zone_function *print)
{
    struct memsrv_zone zone;
    int error = 0;

    for (uint64_t index = 0; error == 0; index++) {
        error = statistics_zone(index, &zone);
        if (error == 0 && zone.managed != 0)
            error = print(index, &zone);
    }
    return error == -ENOENT ? 0 : error;
}

int list_zones(zone_function *print)
{
    if (output_json)
        json_open(NULL, '[');
    const int error = for_each_zone(print);
    if (output_json)
        json_close();
    return error;
}

static int print_use(uint64_t index, const struct memsrv_zone *zone)
{
    (void)index;
    printf("%-8.*s %15lu %12lu %12lu\n", (int)sizeof(zone->name), zone->name,
           (unsigned long)zone->managed * KIB_PER_PAGE, (unsigned long)(zone->managed - zone->free) * KIB_PER_PAGE,
           (unsigned long)zone->free * KIB_PER_PAGE);
    return 0;
}

static int print_zones(void)
{
    printf("zone         managed KiB     used KiB     free KiB\n");
    return for_each_zone(print_use);
}

/* The table of all pages; in JSON the same figures by shorter names. */
static int print_pages(const struct memsrv_memory *memory)
{
    const struct {
        const char *name, *text;
        uint64_t pages;
    } parts[] = {{"free", "free, buddy allocator", memory->free},
                 {"lists", "free, lists of the workers", memory->lists},
                 {"user", "address spaces", memory->user},
                 {"table", "translation tables", memory->table},
                 {"object", "kernel objects", memory->object},
                 {"metadata", "memsrv's records", memory->metadata},
                 {"kernel", "kernel", memory->kernel},
                 {"root", "root", memory->root},
                 {"archive", "boot archive", memory->archive},
                 {"tree", "device tree", memory->tree},
                 {"firmware", "firmware", memory->firmware},
                 {"total", "total", memory->total}};
    const size_t count = sizeof(parts) / sizeof(parts[0]);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (output_json)
            json_number(parts[i].name, parts[i].pages);
        else
            printf("%-28s %10lu pages %12lu KiB\n", parts[i].text, (unsigned long)parts[i].pages,
                   (unsigned long)parts[i].pages * KIB_PER_PAGE);
        sum += i + 1 < count ? parts[i].pages : 0;
    }
    if (sum != memory->total && !output_json)
        printf("mem: the parts add up to %lu pages, not to the total\n", (unsigned long)sum);
    return 0;
}

static int command_mem(int count, char **arguments)
{
    struct memsrv_memory memory;
    size_t records = 0;

    (void)count, (void)arguments;
    int error = output_json ? 0 : print_zones();
    if (error == 0)
        error = memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    if (output_json)
        json_open(NULL, '{');
    else
        printf("\n");
    error = print_pages(&memory);
    if (output_json)
        json_close();
    return error;
}

static void print_blocks(const struct memsrv_buddy *buddy)
{
    if (!output_json)
        printf("Node 0, zone %8.*s ", (int)sizeof(buddy->name), buddy->name);
    else
        json_open(NULL, '{');
    if (output_json) {
        json_text("zone", buddy->name, sizeof(buddy->name));
        json_open("free", '[');
    }
    for (size_t order = 0; order < MEMSRV_BUDDY_ORDERS; order++) {
        if (output_json)
            json_number(NULL, buddy->blocks[order]);
        else
            printf("%6lu ", (unsigned long)buddy->blocks[order]);
    }
    if (output_json) {
        json_close();
        json_close();
    } else {
        printf("\n");
    }
}

static int print_buddy(uint64_t index, const struct memsrv_zone *zone)
{
    struct memsrv_buddy buddy;
    size_t records = 0;

    (void)zone;
    const int error = memsrv_buddy_info(SLOT_MEMSRV, index, &buddy, 1, &records);
    if (error == 0)
        print_blocks(&buddy);
    return error;
}

/* The format of Linux's /proc/buddyinfo, which leaves out zones without memory. */
static int command_buddyinfo(int count, char **arguments)
{
    (void)count, (void)arguments;
    return list_zones(print_buddy);
}

static void print_figures(const struct memsrv_zone *zone)
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

static void print_zone_json(const struct memsrv_zone *zone)
{
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {{"free", zone->free},
                   {"min", zone->min},
                   {"low", zone->low},
                   {"high", zone->high},
                   {"spanned", zone->spanned},
                   {"present", zone->present},
                   {"managed", zone->managed},
                   {"deferred", zone->deferred},
                   {"pgalloc", zone->allocations},
                   {"pgfree", zone->frees},
                   {"fallback", zone->fallbacks},
                   {"steal", zone->steals},
                   {"start_pfn", zone->start},
                   {"list_high", zone->list_high},
                   {"list_batch", zone->list_batch}};

    json_open(NULL, '{');
    json_text("zone", zone->name, sizeof(zone->name));
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        json_number(figures[i].name, figures[i].value);
    json_open("protection", '[');
    for (size_t i = 0; i < MEMSRV_ZONES; i++)
        json_number(NULL, zone->protection[i]);
    json_close();
    json_open("pagesets", '[');
    for (uint64_t cpu = 0; cpu < zone->workers && cpu < MEMSRV_WORKERS; cpu++)
        json_number(NULL, zone->list_movable[cpu] + zone->list_unmovable[cpu]);
    json_close();
    json_close();
}

static int print_zone(uint64_t index, const struct memsrv_zone *zone)
{
    (void)index;
    if (output_json) {
        print_zone_json(zone);
        return 0;
    }
    print_figures(zone);
    print_page_lists(zone);
    return 0;
}

/* Like /proc/zoneinfo; `free` there are the pages free in the zone, and the figures of reclaim are missing. */
static int command_zoneinfo(int count, char **arguments)
{
    (void)count, (void)arguments;
    return list_zones(print_zone);
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

static void print_pagetype_json(const struct memsrv_pagetype *pagetype)
{
    json_open(NULL, '{');
    json_text("zone", pagetype->name, sizeof(pagetype->name));
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++) {
        json_open(migrate_names[type], '{');
        json_number("pageblocks", pagetype->pageblocks[type]);
        json_open("free", '[');
        for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
            json_number(NULL, pagetype->blocks[type * MEMSRV_BUDDY_ORDERS + order]);
        json_close();
        json_close();
    }
    json_close();
}

static int print_pagetype(uint64_t index, void (*print)(const struct memsrv_pagetype *))
{
    struct memsrv_pagetype pagetype;
    size_t records = 0;

    const int error = memsrv_pagetype_info(SLOT_MEMSRV, index, &pagetype, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    print(&pagetype);
    return 0;
}

static int print_types_json(uint64_t index, const struct memsrv_zone *zone)
{
    (void)zone;
    return print_pagetype(index, print_pagetype_json);
}

static int print_types(uint64_t index, const struct memsrv_zone *zone)
{
    (void)zone;
    return print_pagetype(index, print_blocks_by_type);
}

static int print_type_counts(uint64_t index, const struct memsrv_zone *zone)
{
    (void)zone;
    return print_pagetype(index, print_pageblocks);
}

/* Like /proc/pagetypeinfo. */
static int command_pagetypeinfo(int count, char **arguments)
{
    (void)count, (void)arguments;
    if (output_json)
        return list_zones(print_types_json);
    printf("Page block order: %u\nPages per block:  %u\n\n", HUGE_PAGE_ORDER, 1u << HUGE_PAGE_ORDER);
    printf("%-43s ", "Free pages count per migrate type at order");
    for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++)
        printf("%6u ", order);
    printf("\n");
    const int error = for_each_zone(print_types);
    if (error < 0)
        return error;
    printf("\n%-23s", "Number of blocks type ");
    for (unsigned type = 0; type < MEMSRV_MIGRATE_TYPES; type++)
        printf("%12s ", migrate_names[type]);
    printf("\n");
    return for_each_zone(print_type_counts);
}

static int command_allocinfo(int count, char **arguments)
{
    struct memsrv_alloc alloc;
    size_t records = 0;

    (void)count, (void)arguments;
    const int error = memsrv_alloc_info(SLOT_MEMSRV, &alloc, 1, &records);
    if (error < 0 || records != 1)
        return error < 0 ? error : -EPROTO;
    const struct statistic figures[] = {
        {"requests", alloc.requests, STATISTIC_COUNT}, {"slow", alloc.slow, STATISTIC_COUNT},
        {"fallback", alloc.fallback, STATISTIC_COUNT}, {"wakeups", alloc.wakeups, STATISTIC_COUNT},
        {"reclaims", alloc.reclaims, STATISTIC_COUNT}, {"drains", alloc.drains, STATISTIC_COUNT},
        {"failures", alloc.failures, STATISTIC_COUNT}};
    print_statistics(figures, sizeof(figures) / sizeof(figures[0]), ALLOCINFO_COLUMN);
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

static void print_thp_json(const struct memsrv_thp *thp)
{
    const struct statistic figures[] = {{"policy", thp->policy, STATISTIC_COUNT},
                                        {"AnonHugePages", thp->pages * KIB_PER_PAGE, STATISTIC_KIB},
                                        {"thp_fault_alloc", thp->fault_alloc, STATISTIC_COUNT},
                                        {"thp_fault_fallback", thp->fault_fallback, STATISTIC_COUNT},
                                        {"thp_collapse_alloc", thp->collapse_alloc, STATISTIC_COUNT},
                                        {"thp_collapse_alloc_failed", thp->collapse_alloc_failed, STATISTIC_COUNT},
                                        {"thp_split_page", thp->split, STATISTIC_COUNT},
                                        {"thp_underused_split_page", thp->underused, STATISTIC_COUNT},
                                        {"scan_sleep_millisecs", thp->scan_sleep, STATISTIC_COUNT},
                                        {"pages_to_scan", thp->scan_places << HUGE_PAGE_ORDER, STATISTIC_COUNT},
                                        {"pages_scanned", thp->scanned << HUGE_PAGE_ORDER, STATISTIC_COUNT},
                                        {"full_scans", thp->full_scans, STATISTIC_COUNT}};
    print_statistics(figures, sizeof(figures) / sizeof(figures[0]), 0);
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
    if (output_json) {
        print_thp_json(&thp);
        return 0;
    }
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

const struct command zone_commands[] = {
    {"mem", "[--json]", "shows where the machine's memory is", 0, 0, command_mem},
    {"buddyinfo", "[--json]", "shows the free blocks by size", 0, 0, command_buddyinfo},
    {"zoneinfo", "[--json]", "shows the zones: watermarks, reserves, page lists", 0, 0, command_zoneinfo},
    {"pagetypeinfo", "[--json]", "shows the free blocks by mobility and size", 0, 0, command_pagetypeinfo},
    {"allocinfo", "[--json]", "shows what became of requests for pages", 0, 0, command_allocinfo},
    {"thp", "[POLICY|scan MS PLACES] [--json]", "shows the huge pages, or sets who gets them", 0, 3, command_thp},
    {0},
};
