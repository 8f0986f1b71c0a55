/* SPDX-License-Identifier: MIT */
/* Commands about what has a copy elsewhere: questions to the pager. */
#include "command.h"
#include "output.h"

#include <errno.h>
#include <proto/pager_client.h>
#include <proto/statistics.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB_PER_PAGE (PAGE_SIZE / 1024)
#define AREAS_MAX    (PROTO_DATA_MAX / sizeof(struct pager_swap_area))
#define PAGER_COLUMN 20

static bool there_is_pager(void)
{
    return sys_cap_query(SLOT_PAGER, NULL) > 0;
}

static void list_swaps(const struct pager_swap_area *areas, size_t count)
{
    json_open(NULL, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(NULL, '{');
        json_text("filename", areas[i].name, sizeof(areas[i].name));
        json_text("type", "partition", sizeof("partition"));
        json_number("size", areas[i].pages * KIB_PER_PAGE);
        json_number("used", areas[i].used * KIB_PER_PAGE);
        json_signed("priority", areas[i].priority);
        json_close();
    }
    json_close();
}

/* The format of Linux's /proc/swaps. */
static int command_swaps(int count, char **arguments)
{
    struct pager_swap_area areas[AREAS_MAX];
    size_t number = 0;

    (void)count, (void)arguments;
    const int error = there_is_pager() ? pager_swap_list(SLOT_PAGER, areas, AREAS_MAX, &number) : -ENODEV;
    if (error < 0)
        return error;
    if (output_json) {
        list_swaps(areas, number);
        return 0;
    }
    printf("%-40s%-16s%-16s%-16s%s\n", "Filename", "Type", "Size", "Used", "Priority");
    for (size_t i = 0; i < number; i++) {
        printf("%-40.*s%-16s%-16lu%-16lu%ld\n", (int)sizeof(areas[i].name), areas[i].name, "partition",
               (unsigned long)(areas[i].pages * KIB_PER_PAGE), (unsigned long)(areas[i].used * KIB_PER_PAGE),
               (long)areas[i].priority);
    }
    return 0;
}

static int command_swapon(int count, char **arguments)
{
    unsigned long priority = 0;

    if (!there_is_pager())
        return -ENODEV;
    if (count == 3 && parse_number(arguments[2], &priority) < 0)
        return -EINVAL;
    return pager_swap_on(SLOT_PAGER, (int64_t)priority, arguments[1], strlen(arguments[1]));
}

static int command_swapoff(int count, char **arguments)
{
    (void)count;
    return there_is_pager() ? pager_swap_off(SLOT_PAGER, arguments[1], strlen(arguments[1])) : -ENODEV;
}

static int command_drop_caches(int count, char **arguments)
{
    uint64_t pages = 0;

    unsigned long what = PAGER_DROP_PAGES;

    if (count == 2 && parse_number(arguments[1], &what) < 0)
        return -EINVAL;
    const int error = there_is_pager() ? pager_drop_caches(SLOT_PAGER, what, &pages) : -ENODEV;
    if (error == 0 && output_json) {
        json_open(NULL, '{');
        json_number("dropped", pages);
        json_close();
    } else if (error == 0) {
        printf("%lu pages were dropped\n", (unsigned long)pages);
    }
    return error;
}

static void print_pressure(const char *name, const uint64_t averages[3], uint64_t total)
{
    static const char *const names[] = {"avg10", "avg60", "avg300"};

    if (output_json)
        json_open(name, '{');
    else
        printf("%s ", name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (output_json)
            json_number(names[i], averages[i]);
        else
            printf("%s=%lu.%02lu ", names[i], (unsigned long)(averages[i] / 100), (unsigned long)(averages[i] % 100));
    }
    if (output_json) {
        json_number("total", total);
        json_close();
    } else {
        printf("total=%lu\n", (unsigned long)total);
    }
}

/* The format of Linux's /proc/pressure/memory. In JSON, averages are in hundredths of a percent. */
static int command_pressure(int count, char **arguments)
{
    static const char *const names[] = {[PAGER_PRESSURE_SOME] = "some", [PAGER_PRESSURE_FULL] = "full"};
    uint64_t averages[3], total;
    int error = 0;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '{');
    for (uint64_t kind = PAGER_PRESSURE_SOME; kind <= PAGER_PRESSURE_FULL && error == 0; kind++) {
        error = there_is_pager() ? pager_pressure(SLOT_PAGER, kind, &averages[0], &averages[1], &averages[2], &total)
                                 : -ENODEV;
        if (error == 0)
            print_pressure(names[kind], averages, total);
    }
    if (output_json)
        json_close();
    return error;
}

#define FIGURE(name, value)                                                                                            \
    {                                                                                                                  \
        (name), (value), STATISTIC_COUNT                                                                               \
    }

static int command_pager(int count, char **arguments)
{
    struct pager_info info;

    (void)count, (void)arguments;
    if (!statistics_pager(&info))
        return -ENODEV;
    const struct statistic figures[] = {
        FIGURE("generation", info.generation),
        FIGURE("cached", info.cached),
        FIGURE("dirty", info.dirty),
        FIGURE("writeback", info.writeback),
        FIGURE("active_anon", info.active_anonymous),
        FIGURE("inactive_anon", info.inactive_anonymous),
        FIGURE("active_file", info.active_file),
        FIGURE("inactive_file", info.inactive_file),
        FIGURE("unevictable", info.unevictable),
        FIGURE("pgpgin", info.read),
        FIGURE("readahead", info.read_ahead),
        FIGURE("pgpgout", info.written),
        FIGURE("pswpin", info.swapped_in),
        FIGURE("pswpout", info.swapped_out),
        FIGURE("pgscan", info.scanned),
        FIGURE("pgsteal", info.reclaimed),
        FIGURE("workingset_refault", info.refaults),
        FIGURE("oom_kill", info.oom_kills),
        FIGURE("errors", info.errors),
        FIGURE("reserve", info.reserve),
    };
    print_statistics(figures, sizeof(figures) / sizeof(figures[0]), PAGER_COLUMN);
    return 0;
}

/* Shows a setting, or changes it. */
static int command_vm(int count, char **arguments)
{
    const size_t bytes = strlen(arguments[1]);
    unsigned long number;
    uint64_t value = 0;

    if (!there_is_pager())
        return -ENODEV;
    if (count == 3)
        return parse_number(arguments[2], &number) < 0 ? -EINVAL
                                                       : pager_setting_set(SLOT_PAGER, number, arguments[1], bytes);
    const int error = pager_setting_get(SLOT_PAGER, arguments[1], bytes, &value);
    if (error == 0)
        printf("%lu\n", (unsigned long)value);
    return error;
}

const struct command pager_commands[] = {
    {"pager", "[--json]", "shows what the pager holds and has done, in pages", 0, 0, command_pager},
    {"swaps", "[--json]", "lists the areas for swapped pages", 0, 0, command_swaps},
    {"swapon", "VOLUME [PRIORITY]", "swaps to a partition", 1, 2, command_swapon},
    {"swapoff", "VOLUME", "ends that", 1, 1, command_swapoff},
    {"drop_caches", "[1 | 2 | 3] [--json]",
     "drops clean pages of files (1), free objects of memsrv's caches (2), or both", 0, 1, command_drop_caches},
    {"pressure", "[--json]", "shows how long programs waited for memory", 0, 0, command_pressure},
    {"vm", "NAME [VALUE]", "shows or changes a setting of the pager, as swappiness", 1, 2, command_vm},
    {0},
};
