/* SPDX-License-Identifier: MIT */
/*
 * The groups of commands, and how one is found.
 */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct command *const command_groups[] = {general_commands,
                                                file_commands,
                                                process_commands,
                                                statistics_commands,
                                                zone_commands,
                                                memory_commands,
                                                usage_commands,
                                                pager_commands,
                                                setting_commands,
                                                trace_commands,
                                                disk_commands,
                                                shortage_commands,
                                                NULL};

const struct command *command_find(const char *name)
{
    for (const struct command *const *group = command_groups; *group; group++) {
        for (const struct command *command = *group; command->name; command++) {
            if (strcmp(command->name, name) == 0)
                return command;
        }
    }
    return NULL;
}

const char *error_text(int error)
{
    /* newlib's own words for it are those of an old system. */
    return error == -EPERM ? "Operation not permitted" : strerror(-error);
}

int parse_number(const char *text, unsigned long *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return *end || errno ? -EINVAL : 0;
}
