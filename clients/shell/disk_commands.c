/* SPDX-License-Identifier: MIT */
/*
 * Commands about disks: questions to the block server.
 */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <proto/blk_client.h>
#include <stdio.h>

#define VOLUMES_AT_ONCE 8u
#define SECTORS_PER_MIB (1048576 / BLK_SECTOR_BYTES)

static void print_volume(const struct blk_volume *volume)
{
    printf("%-8.*s %12" PRIu64 " %12" PRIu64 " %8" PRIu64 "  %s %s%s%.*s\n", (int)sizeof(volume->name), volume->name,
           volume->first, volume->sectors, volume->sectors / SECTORS_PER_MIB,
           volume->flags & BLK_READ_ONLY ? "ro" : "rw", volume->type[0] ? volume->type : "disk",
           volume->label[0] ? " " : "", (int)sizeof(volume->label), volume->label);
}

static int command_disks(int count, char **arguments)
{
    struct blk_volume volumes[VOLUMES_AT_ONCE];
    uint64_t cursor = 0;

    (void)count, (void)arguments;
    printf("NAME            FIRST      SECTORS      MIB     TYPE\n");
    do {
        size_t found = 0;
        const int error = blk_list(SLOT_BLK, cursor, &cursor, volumes, VOLUMES_AT_ONCE, &found);
        if (error == -EBADF)
            return -ENODEV; /* this machine has no disk */
        if (error < 0)
            return error;
        for (size_t i = 0; i < found; i++)
            print_volume(&volumes[i]);
    } while (cursor);
    return 0;
}

const struct command disk_commands[] = {
    {"disks", "", "lists the disks and their partitions", 0, 0, command_disks},
    {0},
};
