/* SPDX-License-Identifier: MIT */
/*
 * Commands about memory: questions to memsrv.
 */
#include "command.h"
#include "output.h"

#include <proto/memsrv_client.h>
#include <proto/pager_client.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMN   73 /* where Linux puts names in /proc/PID/maps */
#define AREAS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct memsrv_area))

static void print_slab(const struct memsrv_slab *slab)
{
    if (!output_json) {
        printf("%-17.*s %6lu %6lu %6lu %4lu %4lu : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
               (int)sizeof(slab->name), slab->name, (unsigned long)slab->used, (unsigned long)slab->objects,
               (unsigned long)slab->size, (unsigned long)slab->objects_per_slab, (unsigned long)slab->pages_per_slab, 0,
               0, 0, (unsigned long)slab->slabs, (unsigned long)slab->slabs, 0);
        return;
    }
    json_open(NULL, '{');
    json_text("name", slab->name, sizeof(slab->name));
    json_number("active_objs", slab->used);
    json_number("num_objs", slab->objects);
    json_number("objsize", slab->size);
    json_number("objperslab", slab->objects_per_slab);
    json_number("pagesperslab", slab->pages_per_slab);
    json_number("num_slabs", slab->slabs);
    json_number("pages", slab->pages);
    json_number("failures", slab->failures);
    json_number("reports", slab->reports);
    json_close();
}

/* The format of Linux's /proc/slabinfo. The tunables, which these caches have not, are 0. */
static int command_slabinfo(int count, char **arguments)
{
    struct memsrv_slab slab;
    size_t records;
    int error;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '[');
    else
        printf("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>"
               " <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (uint64_t index = 0; (error = memsrv_slab_info(SLOT_MEMSRV, index, &slab, 1, &records)) == 0; index++)
        print_slab(&slab);
    if (output_json)
        json_close();
    return error == -ENOENT ? 0 : error;
}

/* The format of Linux's /proc/vmallocinfo. */
static int command_vmallocinfo(int count, char **arguments)
{
    uint64_t address = 0, start, end, caller;
    int error;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '[');
    while ((error = memsrv_vmalloc_info(SLOT_MEMSRV, address, &start, &end, &caller)) == 0) {
        const unsigned long bytes = end - start;
        if (output_json) {
            json_open(NULL, '{');
            json_number("start", start);
            json_number("end", end);
            json_number("caller", caller);
            json_close();
        } else {
            printf("0x%016lx-0x%016lx %7lu 0x%lx pages=%lu vmalloc\n", (unsigned long)start, (unsigned long)end, bytes,
                   (unsigned long)caller, bytes / PAGE_SIZE);
        }
        address = end;
    }
    if (output_json)
        json_close();
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

void print_area(const struct memsrv_area *area)
{
    const char *name = area_name(area);
    const char rights[] = {
        area->protection & MEMSRV_PROTECT_READ ? 'r' : '-', area->protection & MEMSRV_PROTECT_WRITE ? 'w' : '-',
        area->protection & MEMSRV_PROTECT_EXECUTE ? 'x' : '-', area->flags & MEMSRV_AREA_SHARED ? 's' : 'p', '\0'};

    if (output_json) {
        json_number("start", area->start);
        json_number("end", area->end);
        json_text("rights", rights, sizeof(rights));
        json_text("name", name, strlen(name));
        return;
    }
    const int width =
        printf("%08lx-%08lx %s 00000000 00:00 0 ", (unsigned long)area->start, (unsigned long)area->end, rights);
    printf("%*s%s\n", *name && width < NAME_COLUMN ? NAME_COLUMN - width : 0, "", name);
}

static void list_areas(const struct memsrv_area *areas, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        if (output_json)
            json_open(NULL, '{');
        print_area(&areas[index]);
        if (output_json)
            json_close();
    }
}

static int command_maps(int count, char **arguments)
{
    struct memsrv_area areas[AREAS_AT_ONCE];
    uint64_t cursor = 0;
    unsigned long pid;
    int error;

    (void)count;
    if (parse_number(arguments[1], &pid) < 0)
        return -EINVAL;
    if (output_json)
        json_open(NULL, '[');
    do {
        size_t listed = 0;
        error = memsrv_maps(SLOT_MEMSRV, pid, cursor, &cursor, areas, AREAS_AT_ONCE, &listed);
        if (error == 0)
            list_areas(areas, listed);
    } while (error == 0 && cursor != 0);
    if (output_json)
        json_close();
    return error;
}

/* The walkers of memsrv and the kernel, and of the pager if there is one. EILSEQ, EIO: something is damaged. */
static int command_check(int count, char **arguments)
{
    uint64_t failures = 0;
    const bool pager = sys_cap_query(SLOT_PAGER, NULL) > 0;

    (void)count, (void)arguments;
    const int error = memsrv_check(SLOT_MEMSRV, &failures);
    const int pager_error = pager ? pager_check(SLOT_PAGER) : 0;
    if (output_json) {
        json_open(NULL, '{');
        json_signed("memsrv", error < 0 ? error : (int64_t)failures);
        if (pager)
            json_signed("pager", pager_error);
        json_close();
        return 0;
    }
    if (error == 0 && failures == 0)
        printf("memsrv's structures are sound\n");
    else if (error == 0)
        printf("memsrv found %lu failures\n", (unsigned long)failures);
    if (pager && pager_error == 0)
        printf("the pager's structures are sound\n");
    return error < 0 ? error : pager_error;
}

const struct command memory_commands[] = {
    {"slabinfo", "[--json]", "shows memsrv's caches of objects", 0, 0, command_slabinfo},
    {"vmallocinfo", "[--json]", "shows what memsrv has mapped for itself", 0, 0, command_vmallocinfo},
    {"maps", "PID [--json]", "shows the memory areas of a process", 1, 1, command_maps},
    {"check", "[--json]", "has memsrv, the kernel and the pager check their structures", 0, 0, command_check},
    {0},
};
