/* SPDX-License-Identifier: MIT */
/*
 * Commands about memory: questions to memsrv.
 */
#include "command.h"

#include <proto/memsrv_client.h>
#include <stdbool.h>
#include <stdio.h>

#define STACK_LAST    0x7fffffffefffUL /* the last byte of a first thread's stack */
#define NAME_COLUMN   73               /* where Linux puts names in /proc/PID/maps */
#define AREAS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct memsrv_area))

static const char *area_name(const struct memsrv_area *area)
{
    if (area->flags & MEMSRV_AREA_HEAP)
        return "[heap]";
    if (area->flags & MEMSRV_AREA_BUFFER)
        return "[ipc]";
    if (area->flags & MEMSRV_AREA_DEVICE)
        return "[device]";
    if (area->start <= STACK_LAST && STACK_LAST < area->end)
        return "[stack]";
    return "";
}

/* The format of Linux's /proc/PID/maps. */
static void print_area(const struct memsrv_area *area)
{
    const char *name = area_name(area);
    const int width =
        printf("%08lx-%08lx %c%c%cp 00000000 00:00 0 ", (unsigned long)area->start, (unsigned long)area->end,
               area->protection & MEMSRV_PROTECT_READ ? 'r' : '-', area->protection & MEMSRV_PROTECT_WRITE ? 'w' : '-',
               area->protection & MEMSRV_PROTECT_EXECUTE ? 'x' : '-');
    printf("%*s%s\n", *name && width < NAME_COLUMN ? NAME_COLUMN - width : 0, "", name);
}

static int command_maps(int count, char **arguments)
{
    struct memsrv_area areas[AREAS_AT_ONCE];
    uint64_t cursor = 0;
    unsigned long pid;

    (void)count;
    if (parse_number(arguments[1], &pid) < 0)
        return -EINVAL;
    do {
        size_t listed = 0;
        const int error = memsrv_maps(SLOT_MEMSRV, pid, cursor, &cursor, areas, AREAS_AT_ONCE, &listed);
        if (error < 0)
            return error;
        for (size_t index = 0; index < listed; index++)
            print_area(&areas[index]);
    } while (cursor != 0);
    return 0;
}

static int command_check(int count, char **arguments)
{
    uint64_t failures = 0;

    (void)count, (void)arguments;
    const int error = memsrv_check(SLOT_MEMSRV, &failures);
    if (error == 0 && failures == 0)
        printf("memsrv's structures are sound\n");
    else if (error == 0)
        printf("memsrv found %lu failures\n", (unsigned long)failures);
    return error;
}

const struct command memory_commands[] = {
    {"maps", "PID", "shows the memory areas of a process", 1, 1, command_maps},
    {"check", "", "has memsrv check its structures", 0, 0, command_check},
    {0},
};
