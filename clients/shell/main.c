/* SPDX-License-Identifier: MIT */
/*
 * The shell: reads lines, runs its own commands and programs.
 */
#include "command.h"
#include "editor.h"
#include "output.h"
#include "split.h"

#include <errno.h>
#include <proto/root_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROMPT "quire> "
/* Without input there is nothing to do; a pause keeps a console that is away from being asked without end. */
#define PAUSE_SECONDS    1
#define PROGRAMS_AT_ONCE (PROTO_DATA_MAX / sizeof(struct root_program))

/* Offers the programs whose path, or the last part of it, continues `word`; `before` is what stands before the word. */
static void complete_programs(const char *before, const char *word)
{
    struct root_program programs[PROGRAMS_AT_ONCE];
    char line[128];
    uint64_t cursor = 0;

    do {
        size_t listed = 0;
        if (root_program_list(SLOT_ROOT, cursor, &cursor, programs, PROGRAMS_AT_ONCE, &listed) < 0)
            return;
        for (size_t index = 0; index < listed; index++) {
            const char *slash = strrchr(programs[index].name, '/');
            const char *name = slash && !strchr(word, '/') ? slash + 1 : programs[index].name;
            /* Servers are started by root. */
            if (strncmp(programs[index].name, "sbin/", 5) == 0 || strncmp(name, word, strlen(word)) != 0)
                continue;
            snprintf(line, sizeof(line), "%s%.*s", before, (int)sizeof(programs[index].name), name);
            editor_offer(line);
        }
    } while (cursor != 0);
}

static void complete(const char *typed)
{
    const size_t length = strlen(typed);

    if (strncmp(typed, "run ", 4) == 0) {
        complete_programs("run ", typed + 4);
        return;
    }
    for (const struct command *const *group = command_groups; *group; group++) {
        for (const struct command *command = *group; command->name; command++) {
            if (strncmp(command->name, typed, length) == 0)
                editor_offer(command->name);
        }
    }
    complete_programs("", typed);
}

/* Takes --json out of the arguments. True: it was there. */
static bool take_json(int *count, char **arguments)
{
    int kept = 1;

    for (int index = 1; index < *count; index++) {
        if (strcmp(arguments[index], "--json") != 0)
            arguments[kept++] = arguments[index];
    }
    const bool found = kept < *count;
    arguments[kept] = NULL;
    *count = kept;
    return found;
}

static int execute(int count, char **arguments)
{
    const struct command *command = command_find(arguments[0]);

    if (!command)
        return run_program(arguments);
    output_json = strstr(command->arguments, "[--json]") && take_json(&count, arguments);
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
        printf("shell: %s\n", error_text(count));
    } else if (count > 0) {
        const int error = execute(count, arguments);
        if (error == -ENOENT && !command_find(arguments[0]))
            printf("%s: there is no such command or program; `help` lists the commands\n", arguments[0]);
        else if (error < 0)
            printf("%s: %s\n", arguments[0], error_text(error));
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
