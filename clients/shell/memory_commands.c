/* SPDX-License-Identifier: MIT */
/*
 * Commands about memory: questions to memsrv.
 */
#include "command.h"

#include <proto/memsrv_client.h>
#include <stdbool.h>
#include <stdio.h>

#define NAME_COLUMN   73 /* where Linux puts names in /proc/PID/maps */
#define AREAS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct memsrv_area))

/* The format of Linux's /proc/slabinfo. The tunables, which these caches have not, are 0. */
static int command_slabinfo(int count, char **arguments)
{
    struct memsrv_slab slab;
    size_t records;
    int error;

    (void)count, (void)arguments;
    printf("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>"
           " <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (uint64_t index = 0; (error = memsrv_slab_info(SLOT_MEMSRV, index, &slab, 1, &records)) == 0; index++) {
        if (records != 1)
            return -EPROTO;
        printf("%-17.*s %6lu %6lu %6lu %4lu %4lu : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
               (int)sizeof(slab.name), slab.name, (unsigned long)slab.used, (unsigned long)slab.objects,
               (unsigned long)slab.size, (unsigned long)slab.objects_per_slab, (unsigned long)slab.pages_per_slab, 0, 0,
               0, (unsigned long)slab.slabs, (unsigned long)slab.slabs, 0);
    }
    return error == -ENOENT ? 0 : error;
}

/* The format of Linux's /proc/vmallocinfo. */
static int command_vmallocinfo(int count, char **arguments)
{
    uint64_t address = 0, start, end, caller;
    int error;

    (void)count, (void)arguments;
    while ((error = memsrv_vmalloc_info(SLOT_MEMSRV, address, &start, &end, &caller)) == 0) {
        const unsigned long bytes = end - start;
        printf("0x%016lx-0x%016lx %7lu 0x%lx pages=%lu vmalloc\n", (unsigned long)start, (unsigned long)end, bytes,
               (unsigned long)caller, bytes / PAGE_SIZE);
        address = end;
    }
    return error == -ENOENT ? 0 : error;
}

static const char *area_name(const struct memsrv_area *area)
{
    if (area->flags & MEMSRV_AREA_HEAP)
        return "[heap]";
    if (area->flags & MEMSRV_AREA_BUFFER)
        return "[ipc]";
    if (area->flags & MEMSRV_AREA_DEVICE)
        return "[device]";
    if (area->flags & MEMSRV_AREA_STACK)
        return "[stack]";
    return "";
}

/* The format of Linux's /proc/PID/maps. */
static void print_area(const struct memsrv_area *area)
{
    const char *name = area_name(area);
    const int width =
        printf("%08lx-%08lx %c%c%c%c 00000000 00:00 0 ", (unsigned long)area->start, (unsigned long)area->end,
               area->protection & MEMSRV_PROTECT_READ ? 'r' : '-', area->protection & MEMSRV_PROTECT_WRITE ? 'w' : '-',
               area->protection & MEMSRV_PROTECT_EXECUTE ? 'x' : '-', area->flags & MEMSRV_AREA_SHARED ? 's' : 'p');
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
    {"slabinfo", "", "shows memsrv's caches of objects", 0, 0, command_slabinfo},
    {"vmallocinfo", "", "shows what memsrv has mapped for itself", 0, 0, command_vmallocinfo},
    {"maps", "PID", "shows the memory areas of a process", 1, 1, command_maps},
    {"check", "", "has memsrv check its structures", 0, 0, command_check},
    {0},
};
