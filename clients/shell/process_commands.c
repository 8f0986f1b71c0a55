/* SPDX-License-Identifier: MIT */
/*
 * Commands about processes: questions and requests to root.
 */
#include "command.h"
#include "output.h"
#include "split.h"

#include <errno.h>
#include <limits.h>
#include <proto/root_client.h>
#include <quire/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PROCESSES_AT_ONCE (PROTO_DATA_MAX / sizeof(struct root_process))
#define STATUS_SIGNAL     128

static void print_process(const struct root_process *process)
{
    char state[16] = "running";

    if (output_json) {
        json_open(NULL, '{');
        json_number("pid", process->pid);
        json_number("ppid", process->parent);
        json_number("running", process->state != ROOT_STATE_ENDED);
        json_number("priority", process->priority);
        json_number("rss", process->resident * (PAGE_SIZE / 1024));
        json_number("tables", process->tables);
        json_number("objects", process->objects);
        json_text("name", process->name, sizeof(process->name));
        json_close();
        return;
    }
    if (process->state == ROOT_STATE_ENDED)
        snprintf(state, sizeof(state), "ended %lu", (unsigned long)process->status);
    printf("%5lu %5lu %-9s %3lu %8lu %6lu %7lu %.*s\n", (unsigned long)process->pid, (unsigned long)process->parent,
           state, (unsigned long)process->priority, (unsigned long)process->resident * (PAGE_SIZE / 1024),
           (unsigned long)process->tables, (unsigned long)process->objects, (int)sizeof(process->name), process->name);
}

static int command_ps(int count, char **arguments)
{
    struct root_process processes[PROCESSES_AT_ONCE];
    uint64_t cursor = 0;
    int error;

    (void)count, (void)arguments;
    if (output_json)
        json_open(NULL, '[');
    else
        printf("  PID  PPID STATE     PRI  RSS KiB TABLES OBJECTS NAME\n");
    do {
        size_t listed = 0;
        error = root_process_list(SLOT_ROOT, cursor, &cursor, processes, PROCESSES_AT_ONCE, &listed);
        for (size_t index = 0; error == 0 && index < listed; index++)
            print_process(&processes[index]);
    } while (error == 0 && cursor != 0);
    if (output_json)
        json_close();
    return error;
}

static void print_status(const char *name, int status)
{
    if (status == (int)ROOT_STATUS_FAULT)
        printf("%s: ended by a memory fault\n", name);
    else if (status == (int)ROOT_STATUS_KILLED)
        printf("%s: killed\n", name);
    else if (status > STATUS_SIGNAL)
        printf("%s: ended by signal %d\n", name, status - STATUS_SIGNAL);
    else if (status != 0)
        printf("%s: exit status %d\n", name, status);
}

/* A name with a slash is a path from the working directory; root, which starts programs, has none. */
static int to_absolute(char *name, char path[PATH_MAX])
{
    struct stat status;

    if (!strchr(name, '/') || name[0] == '/' || !realpath(name, path))
        return 0;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? -EISDIR : 1;
}

int run_program(char **arguments)
{
    char path[PATH_MAX];
    struct termios settings;
    const int known = tcgetattr(STDIN_FILENO, &settings);

    char *const name = arguments[0];
    const int resolved = to_absolute(name, path);
    if (resolved < 0)
        return resolved;
    fflush(stdout);
    arguments[0] = resolved ? path : name;
    const int status = process_run((const char *const *)arguments);
    arguments[0] = name;
    /* The program may have left the terminal in another mode. */
    if (known == 0)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    if (status < 0)
        return status;
    print_status(arguments[0], status);
    return 0;
}

static int command_run(int count, char **arguments)
{
    (void)count;
    return run_program(arguments + 1);
}

static int command_kill(int count, char **arguments)
{
    unsigned long pid;

    (void)count;
    if (parse_number(arguments[1], &pid) < 0)
        return -EINVAL;
    return root_kill(SLOT_ROOT, pid);
}

const struct command process_commands[] = {
    {"ps", "[--json]", "lists processes", 0, 0, command_ps},
    {"run", "PROGRAM [ARGUMENT]...", "runs a program to its end", 1, SPLIT_ARGUMENTS_MAX, command_run},
    {"kill", "PID", "ends a process", 1, 1, command_kill},
    {0},
};
