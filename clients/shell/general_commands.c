/* SPDX-License-Identifier: MIT */
/*
 * Commands about the shell and the machine.
 */
#include "command.h"
#include "split.h"

#include <proto/root_client.h>
#include <stdio.h>
#include <unistd.h>

#define HELP_COLUMN 42

static int command_help(int count, char **arguments)
{
    (void)count, (void)arguments;
    for (const struct command *const *group = command_groups; *group; group++) {
        for (const struct command *command = *group; command->name; command++) {
            const int width = printf("  %s %s", command->name, command->arguments);
            printf("%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", command->help);
        }
    }
    printf("Any other word runs the program of that name. Tab completes, the arrow keys recall.\n");
    return 0;
}

static int command_echo(int count, char **arguments)
{
    for (int index = 1; index < count; index++)
        printf("%s%s", arguments[index], index + 1 < count ? " " : "");
    printf("\n");
    return 0;
}

static int command_poweroff(int count, char **arguments)
{
    unsigned long status = 0;

    if (count > 1 && parse_number(arguments[1], &status) < 0)
        return -EINVAL;
    fflush(stdout);
    sync();
    return root_power_off(SLOT_ROOT, status);
}

const struct command general_commands[] = {
    {"help", "", "lists the commands", 0, 0, command_help},
    {"echo", "[WORD]...", "prints its arguments", 0, SPLIT_ARGUMENTS_MAX, command_echo},
    {"poweroff", "[STATUS]", "turns the machine off", 0, 1, command_poweroff},
    {0},
};
