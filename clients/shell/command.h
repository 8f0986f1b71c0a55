/* SPDX-License-Identifier: MIT */
/*
 * The shell's own commands: tables of them, one for each group, each in a file of its own.
 */
#ifndef SHELL_COMMAND_H
#define SHELL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct command {
    const char *name;      /* null ends a table */
    const char *arguments; /* as `help` shows them; with [--json] among them it can print JSON: see output.h */
    const char *help;
    int argument_min, argument_max; /* without the name; the shell checks them before it calls the function */
    /* Does the command's work and prints it; arguments[0] is the name. Returns 0 or a negative errno, which the shell
     * prints. */
    int (*function)(int count, char **arguments);
};

extern const struct command disk_commands[], file_commands[], general_commands[], memory_commands[], pager_commands[],
    process_commands[], setting_commands[], shortage_commands[], statistics_commands[], trace_commands[],
    usage_commands[], zone_commands[];

/* The tables above, ended by a null. */
extern const struct command *const command_groups[];

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Runs program arguments[0] to its end, with the console for itself; arguments end with a null. What it returns is
 * 0 or the negative errno of starting it; a status other than 0 is printed. */
int run_program(char **arguments);

struct memsrv_area;

/* Prints an area in the format of Linux's /proc/PID/maps, or its members within the JSON object that is open. */
void print_area(const struct memsrv_area *area);

/* What to tell a person about a negative errno. */
const char *error_text(int error);

/* Reads a decimal number that fills the whole text. 0, or EINVAL. */
__attribute__((warn_unused_result)) int parse_number(const char *text, unsigned long *number);

#endif
