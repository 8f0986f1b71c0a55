/* SPDX-License-Identifier: MIT */
/*
 * Commands about disks: questions to the block server.
 */
#include "command.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <proto/blk_client.h>
#include <stdio.h>

#define VOLUMES_AT_ONCE 8u
#define SECTORS_PER_MIB (1048576 / BLK_SECTOR_BYTES)

static void print_volume_json(const struct blk_volume *volume)
{
    json_open(NULL, '{');
    json_text("name", volume->name, sizeof(volume->name));
    json_number("first", volume->first);
    json_number("sectors", volume->sectors);
    json_number("size", volume->sectors * BLK_SECTOR_BYTES);
    json_number("read_only", (volume->flags & BLK_READ_ONLY) != 0);
    json_text("type", volume->type, sizeof(volume->type));
    json_text("label", volume->label, sizeof(volume->label));
    json_close();
}

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

    int error;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '[');
    else
        printf("NAME            FIRST      SECTORS      MIB     TYPE\n");
    do {
        size_t found = 0;
        error = blk_list(SLOT_BLK, cursor, &cursor, volumes, VOLUMES_AT_ONCE, &found);
        for (size_t i = 0; error == 0 && i < found; i++)
            (output_json ? print_volume_json : print_volume)(&volumes[i]);
    } while (error == 0 && cursor);
    if (output_json)
        json_close();
    return error == -EBADF ? -ENODEV : error; /* this machine has no disk */
}

const struct command disk_commands[] = {
    {"disks", "[--json]", "lists the disks and their partitions", 0, 0, command_disks},
    {0},
};
