/* SPDX-License-Identifier: MIT */
/*
 * The shell: reads lines, runs its own commands and programs.
 */
#include "command.h"
#include "editor.h"
#include "split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROMPT "quire> "
/* Without input there is nothing to do; a pause keeps a console that is away from being asked without end. */
#define PAUSE_SECONDS 1

static void complete(const char *typed)
{
    const size_t length = strlen(typed);

    for (const struct command *const *group = command_groups; *group; group++) {
        for (const struct command *command = *group; command->name; command++) {
            if (strncmp(command->name, typed, length) == 0)
                editor_offer(command->name);
        }
    }
}

static int execute(int count, char **arguments)
{
    const struct command *command = command_find(arguments[0]);

    if (!command)
        return run_program(arguments);
    if (count - 1 < command->argument_min || count - 1 > command->argument_max) {
        printf("usage: %s %s\n", command->name, command->arguments);
        return 0;
    }
    return command->function(count, arguments);
}

static void execute_line(char *line)
{
    char *arguments[SPLIT_ARGUMENTS_MAX + 1];
    const int count = split_line(line, arguments);

    if (count == -EINVAL) {
        printf("shell: a quote or a backslash has no end\n");
    } else if (count == -EILSEQ) {
        printf("shell: the line holds control characters\n");
    } else if (count < 0) {
        printf("shell: %s\n", strerror(-count));
    } else if (count > 0) {
        const int error = execute(count, arguments);
        if (error == -ENOENT && !command_find(arguments[0]))
            printf("%s: there is no such command or program; `help` lists the commands\n", arguments[0]);
        else if (error < 0)
            printf("%s: %s\n", arguments[0], strerror(-error));
    }
}

int main(void)
{
    editor_init(complete);
    printf("\nQuire. `help` lists the commands.\n");
    for (;;) {
        char *line;

        fflush(stdout);
        switch (editor_read(PROMPT, &line)) {
        case EDITOR_LINE:
            execute_line(line);
            free(line);
            break;
        case EDITOR_CANCELLED:
            break;
        case EDITOR_END:
            printf("`poweroff` turns the machine off.\n");
            sleep(PAUSE_SECONDS);
            break;
        }
    }
}
