/* SPDX-License-Identifier: MIT */
/* Commands about all of memory, with Linux's names and formats. */
#include "command.h"
#include "output.h"
#include "zones.h"

#include <errno.h>
#include <proto/memsrv_client.h>
#include <proto/statistics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMINFO_COLUMN 25 /* where values end */
#define VMSTAT_COLUMN  28
#define KIB_PER_PAGE   (PAGE_SIZE / 1024)
#define SLABS_MAX      64u
#define HEADER_EVERY   20u
#define PERCENT        100u

static int command_meminfo(int count, char **arguments)
{
    struct statistic figures[STATISTICS_MAX];
    size_t number;

    (void)count, (void)arguments;
    const int error = statistics_meminfo(figures, STATISTICS_MAX, &number);
    if (error == 0)
        print_statistics(figures, number, MEMINFO_COLUMN);
    return error;
}

/* --- free --------------------------------------------------------------------------------------------------------- */

struct free_row {
    const char *name;
    uint64_t total, used, free, shared, cache, available;
};

static void print_free_json(const struct free_row *memory, const struct free_row *swap)
{
    json_open(NULL, '{');
    json_open("Mem", '{');
    json_number("total", memory->total);
    json_number("used", memory->used);
    json_number("free", memory->free);
    json_number("shared", memory->shared);
    json_number("buff_cache", memory->cache);
    json_number("available", memory->available);
    json_close();
    json_open("Swap", '{');
    json_number("total", swap->total);
    json_number("used", swap->used);
    json_number("free", swap->free);
    json_close();
    json_close();
}

/* The columns of Linux's free, in KiB: total is the sum of used, free and buff/cache. */
static int command_free(int count, char **arguments)
{
    struct statistic figures[STATISTICS_MAX];
    size_t number;

    (void)count, (void)arguments;
    const int error = statistics_meminfo(figures, STATISTICS_MAX, &number);
    if (error < 0)
        return error;
    struct free_row memory = {.total = statistics_value(figures, number, "MemTotal"),
                              .free = statistics_value(figures, number, "MemFree"),
                              .shared = statistics_value(figures, number, "Shmem"),
                              .cache = statistics_value(figures, number, "Cached"),
                              .available = statistics_value(figures, number, "MemAvailable")};
    struct free_row swap = {.total = statistics_value(figures, number, "SwapTotal"),
                            .free = statistics_value(figures, number, "SwapFree")};
    memory.used = memory.total - memory.free - memory.cache;
    swap.used = swap.total - swap.free;
    if (output_json) {
        print_free_json(&memory, &swap);
        return 0;
    }
    printf("%19s %11s %11s %11s %11s %11s\n", "total", "used", "free", "shared", "buff/cache", "available");
    printf("Mem:    %11lu %11lu %11lu %11lu %11lu %11lu\n", (unsigned long)memory.total, (unsigned long)memory.used,
           (unsigned long)memory.free, (unsigned long)memory.shared, (unsigned long)memory.cache,
           (unsigned long)memory.available);
    printf("Swap:   %11lu %11lu %11lu\n", (unsigned long)swap.total, (unsigned long)swap.used,
           (unsigned long)swap.free);
    return 0;
}

/* --- vmstat ------------------------------------------------------------------------------------------------------- */

/* What a line of vmstat is made of: states, and counters of which the change since the line before is told. */
static const struct vmstat_column {
    const char *name;   /* as JSON has it */
    const char *title;  /* and a line */
    const char *source; /* name in the list of figures */
    uint64_t unit;      /* KiB of one; 1: as it is */
    bool counter;
} vmstat_columns[] = {
    {"free", "free", "nr_free_pages", KIB_PER_PAGE, false},
    {"cache", "cache", "nr_file_pages", KIB_PER_PAGE, false},
    {"anon", "anon", "nr_anon_pages", KIB_PER_PAGE, false},
    {"dirty", "dirty", "nr_dirty", KIB_PER_PAGE, false},
    {"si", "si", "pswpin", KIB_PER_PAGE, true},
    {"so", "so", "pswpout", KIB_PER_PAGE, true},
    {"bi", "bi", "pgpgin", 1, true},
    {"bo", "bo", "pgpgout", 1, true},
    {"flt", "flt", "pgfault", 1, true},
    {"majflt", "majflt", "pgmajfault", 1, true},
    {"scan", "scan", "pgscan", 1, true},
    {"steal", "steal", "pgsteal", 1, true},
};
#define VMSTAT_COLUMNS (sizeof(vmstat_columns) / sizeof(vmstat_columns[0]))

struct vmstat_lines {
    uint64_t before[VMSTAT_COLUMNS]; /* counters */
    unsigned long shown, interval;
};

static void print_vmstat_header(void)
{
    for (size_t i = 0; i < VMSTAT_COLUMNS; i++)
        printf("%8s%s", vmstat_columns[i].title, i + 1 < VMSTAT_COLUMNS ? " " : "\n");
}

/* One line: counters a second since the line before; the first line has them since the start, as they are. */
static int show_vmstat(void *context)
{
    struct vmstat_lines *lines = context;
    struct statistic figures[STATISTICS_MAX];
    size_t number, i;

    const int error = statistics_vmstat(figures, STATISTICS_MAX, &number);
    if (error < 0)
        return error;
    if (output_json)
        json_open(NULL, '{');
    else if (lines->shown % HEADER_EVERY == 0)
        print_vmstat_header();
    for (i = 0; i < VMSTAT_COLUMNS; i++) {
        const struct vmstat_column *column = &vmstat_columns[i];
        const uint64_t now = statistics_value(figures, number, column->source) * column->unit;
        uint64_t value = now;
        if (column->counter && lines->shown > 0)
            value = (now > lines->before[i] ? now - lines->before[i] : 0) / lines->interval;
        lines->before[i] = now;
        if (output_json)
            json_number(column->name, value);
        else
            printf("%8lu%s", (unsigned long)value, i + 1 < VMSTAT_COLUMNS ? " " : "\n");
    }
    if (output_json)
        json_close();
    lines->shown++;
    return 0;
}

static int command_vmstat(int count, char **arguments)
{
    struct statistic figures[STATISTICS_MAX];
    struct vmstat_lines lines = {0};
    struct refresh refresh;
    size_t number;

    if (refresh_parse(count, arguments, 1, &refresh) < 0)
        return -EINVAL;
    lines.interval = refresh.interval;
    if (count > 1)
        return refresh_run(&refresh, show_vmstat, &lines);
    const int error = statistics_vmstat(figures, STATISTICS_MAX, &number);
    if (error == 0)
        print_statistics(figures, number, VMSTAT_COLUMN);
    return error;
}

/* --- extfrag ------------------------------------------------------------------------------------------------------ */

/* A fraction as Linux prints it: thousandths, with a sign. */
static void print_thousandths(int64_t value)
{
    const uint64_t size = (uint64_t)(value < 0 ? -value : value);
    printf("%s%lu.%03lu ", value < 0 ? "-" : "", (unsigned long)(size / 1000), (unsigned long)(size % 1000));
}

/* One of the two indexes of a zone, for all orders. */
static void show_index(const struct memsrv_buddy *buddy, const char *name, bool extfrag)
{
    if (output_json)
        json_open(name, '[');
    else
        printf("Node 0, zone %8.*s %-9s ", (int)sizeof(buddy->name), buddy->name, name);
    for (unsigned order = 0; order < MEMSRV_BUDDY_ORDERS; order++) {
        const int64_t value =
            extfrag ? statistics_extfrag_index(buddy, order) : (int64_t)statistics_unusable_index(buddy, order);
        if (output_json)
            json_signed(NULL, value);
        else
            print_thousandths(value);
    }
    if (output_json)
        json_close();
    else
        printf("\n");
}

static int print_fragmentation(uint64_t index, const struct memsrv_zone *zone)
{
    struct memsrv_buddy buddy;
    size_t records = 0;

    (void)zone;
    const int error = memsrv_buddy_info(SLOT_MEMSRV, index, &buddy, 1, &records);
    if (error < 0)
        return error;
    if (output_json) {
        json_open(NULL, '{');
        json_text("zone", buddy.name, sizeof(buddy.name));
    }
    show_index(&buddy, "extfrag", true);
    show_index(&buddy, "unusable", false);
    if (output_json)
        json_close();
    return 0;
}

/* The two files of Linux's debug/extfrag. In JSON the indexes are thousandths. */
static int command_extfrag(int count, char **arguments)
{
    (void)count, (void)arguments;
    return list_zones(print_fragmentation);
}

/* --- slabtop ------------------------------------------------------------------------------------------------------ */

static int by_pages(const void *left, const void *right)
{
    const struct memsrv_slab *a = left, *b = right;
    return a->pages == b->pages ? strncmp(a->name, b->name, sizeof(a->name)) : a->pages < b->pages ? 1 : -1;
}

/* Of each cache a row, the one with most memory first. */
static void print_slabs(const struct memsrv_slab *slabs, size_t number)
{
    uint64_t used = 0, objects = 0, pages = 0;

    for (size_t i = 0; i < number; i++) {
        used += slabs[i].used;
        objects += slabs[i].objects;
        pages += slabs[i].pages;
    }
    printf(" Active / Total Objects (%% used)    : %lu / %lu (%lu%%)\n", (unsigned long)used, (unsigned long)objects,
           (unsigned long)(objects ? used * PERCENT / objects : 0));
    printf(" Active / Total Caches              : %lu / %lu\n Total Size                         : %luK\n\n",
           (unsigned long)number, (unsigned long)number, (unsigned long)(pages * KIB_PER_PAGE));
    printf("%6s %6s %4s %8s %6s %8s %10s %s\n", "OBJS", "ACTIVE", "USE", "OBJ SIZE", "SLABS", "OBJ/SLAB", "CACHE SIZE",
           "NAME");
    for (size_t i = 0; i < number; i++) {
        const struct memsrv_slab *slab = &slabs[i];
        printf("%6lu %6lu %3lu%% %7luB %6lu %8lu %9luK %.*s\n", (unsigned long)slab->objects, (unsigned long)slab->used,
               (unsigned long)(slab->objects ? slab->used * PERCENT / slab->objects : 0), (unsigned long)slab->size,
               (unsigned long)slab->slabs, (unsigned long)slab->objects_per_slab,
               (unsigned long)(slab->pages * KIB_PER_PAGE), (int)sizeof(slab->name), slab->name);
    }
}

static void print_slabs_json(const struct memsrv_slab *slabs, size_t number)
{
    json_open(NULL, '[');
    for (size_t i = 0; i < number; i++) {
        json_open(NULL, '{');
        json_text("name", slabs[i].name, sizeof(slabs[i].name));
        json_number("objects", slabs[i].objects);
        json_number("active", slabs[i].used);
        json_number("object_size", slabs[i].size);
        json_number("slabs", slabs[i].slabs);
        json_number("cache_size", slabs[i].pages * KIB_PER_PAGE);
        json_close();
    }
    json_close();
}

static int show_slabs(void *context)
{
    static struct memsrv_slab slabs[SLABS_MAX];
    size_t number = 0, records = 0;
    int error = 0;

    (void)context;
    while (number < SLABS_MAX && (error = memsrv_slab_info(SLOT_MEMSRV, number, &slabs[number], 1, &records)) == 0 &&
           records == 1)
        number++;
    if (error < 0 && error != -ENOENT)
        return error;
    qsort(slabs, number, sizeof(slabs[0]), by_pages);
    if (output_json)
        print_slabs_json(slabs, number);
    else
        print_slabs(slabs, number);
    return 0;
}

static int command_slabtop(int count, char **arguments)
{
    struct refresh refresh;

    if (refresh_parse(count, arguments, 1, &refresh) < 0)
        return -EINVAL;
    return refresh_run(&refresh, show_slabs, NULL);
}

const struct command statistics_commands[] = {
    {"meminfo", "[--json]", "shows where the machine's memory is, as Linux does", 0, 0, command_meminfo},
    {"free", "[--json]", "shows it in short", 0, 0, command_free},
    {"vmstat", "[INTERVAL [COUNT]] [--json]", "shows counters of memory, or how they change", 0, 2, command_vmstat},
    {"extfrag", "[--json]", "shows how broken up free memory is", 0, 0, command_extfrag},
    {"slabtop", "[INTERVAL [COUNT]] [--json]", "shows memsrv's caches, the largest first", 0, 2, command_slabtop},
    {0},
};
