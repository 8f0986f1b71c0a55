/* SPDX-License-Identifier: MIT */
/* Commands about what has a copy elsewhere: questions to the pager. */
#include "command.h"

#include <errno.h>
#include <proto/pager_client.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB_PER_PAGE (PAGE_SIZE / 1024)
#define AREAS_MAX    (PROTO_DATA_MAX / sizeof(struct pager_swap_area))

static bool there_is_pager(void)
{
    return sys_cap_query(SLOT_PAGER, NULL) > 0;
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

    (void)count, (void)arguments;
    const int error = there_is_pager() ? pager_drop_caches(SLOT_PAGER, PAGER_DROP_PAGES, &pages) : -ENODEV;
    if (error == 0)
        printf("%lu pages were dropped\n", (unsigned long)pages);
    return error;
}

/* The format of Linux's /proc/pressure/memory. */
static int command_pressure(int count, char **arguments)
{
    static const char *const names[] = {[PAGER_PRESSURE_SOME] = "some", [PAGER_PRESSURE_FULL] = "full"};

    (void)count, (void)arguments;
    for (uint64_t kind = PAGER_PRESSURE_SOME; kind <= PAGER_PRESSURE_FULL; kind++) {
        uint64_t ten, sixty, three_hundred, total;
        const int error =
            there_is_pager() ? pager_pressure(SLOT_PAGER, kind, &ten, &sixty, &three_hundred, &total) : -ENODEV;
        if (error == -ENOSYS)
            continue;
        if (error < 0)
            return error;
        printf("%s avg10=%lu.%02lu avg60=%lu.%02lu avg300=%lu.%02lu total=%lu\n", names[kind],
               (unsigned long)(ten / 100), (unsigned long)(ten % 100), (unsigned long)(sixty / 100),
               (unsigned long)(sixty % 100), (unsigned long)(three_hundred / 100), (unsigned long)(three_hundred % 100),
               (unsigned long)total);
    }
    return 0;
}

static void print_figure(const char *name, uint64_t value)
{
    printf("%-20s %lu\n", name, (unsigned long)value);
}

static int command_pager(int count, char **arguments)
{
    struct pager_info info;
    size_t number = 0;

    (void)count, (void)arguments;
    const int error = there_is_pager() ? pager_info(SLOT_PAGER, &info, 1, &number) : -ENODEV;
    if (error < 0 || number != 1)
        return error < 0 ? error : -EPROTO;
    print_figure("generation", info.generation);
    print_figure("cached", info.cached);
    print_figure("dirty", info.dirty);
    print_figure("writeback", info.writeback);
    print_figure("active_anon", info.active_anonymous);
    print_figure("inactive_anon", info.inactive_anonymous);
    print_figure("active_file", info.active_file);
    print_figure("inactive_file", info.inactive_file);
    print_figure("unevictable", info.unevictable);
    print_figure("pgpgin", info.read);
    print_figure("readahead", info.read_ahead);
    print_figure("pgpgout", info.written);
    print_figure("pswpin", info.swapped_in);
    print_figure("pswpout", info.swapped_out);
    print_figure("pgscan", info.scanned);
    print_figure("pgsteal", info.reclaimed);
    print_figure("workingset_refault", info.refaults);
    print_figure("oom_kill", info.oom_kills);
    print_figure("errors", info.errors);
    print_figure("reserve", info.reserve);
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
    {"pager", "", "shows what the pager holds and has done, in pages", 0, 0, command_pager},
    {"swaps", "", "lists the areas for swapped pages", 0, 0, command_swaps},
    {"swapon", "VOLUME [PRIORITY]", "swaps to a partition", 1, 2, command_swapon},
    {"swapoff", "VOLUME", "ends that", 1, 1, command_swapoff},
    {"drop_caches", "", "drops clean pages of files", 0, 0, command_drop_caches},
    {"pressure", "", "shows how long programs waited for memory", 0, 0, command_pressure},
    {"vm", "NAME [VALUE]", "shows or changes a setting of the pager, as swappiness", 1, 2, command_vm},
    {0},
};
