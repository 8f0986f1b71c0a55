/* SPDX-License-Identifier: MIT */
/*
 * Line editing with linenoise.
 */
#include "editor.h"

#include <errno.h>
#include <linenoise.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EDITOR_HISTORY_LINES 200

static void (*editor_complete)(const char *typed);
static linenoiseCompletions *editor_completions;

static void complete(const char *typed, linenoiseCompletions *completions)
{
    editor_completions = completions;
    editor_complete(typed);
    editor_completions = NULL;
}

void editor_init(void (*complete_function)(const char *typed))
{
    editor_complete = complete_function;
    linenoiseSetCompletionCallback(complete);
    linenoiseHistorySetMaxLen(EDITOR_HISTORY_LINES);
}

void editor_offer(const char *line)
{
    linenoiseAddCompletion(editor_completions, line);
}

/* Terminals have three ways to send Home and End. linenoise knows ESC [ H and ESC [ F; of the others, ESC [ 1 ~ and ESC [ 7 ~
 * are made the first, ESC [ 4 ~ and ESC [ 8 ~ the second. It reads one byte at a time, by this. */
static char key_of(char digit)
{
    switch (digit) {
    case '1':
    case '7':
        return 'H';
    case '4':
    case '8':
        return 'F';
    default:
        return '\0';
    }
}

ssize_t editor_read_byte(int file, void *byte, size_t bytes)
{
    static unsigned matched; /* bytes of ESC [ */
    static char held;        /* was read ahead of time; 0: none */
    char *const read_byte = byte;

    if (held) {
        *read_byte = held;
        held = '\0';
        return 1;
    }
    const ssize_t got = read(file, byte, bytes);
    if (got != 1)
        return got;
    if (matched == 2 && key_of(*read_byte) && read(file, &held, 1) == 1 && held == '~') {
        *read_byte = key_of(*read_byte);
        held = '\0';
    }
    matched = *read_byte == '\x1b' ? 1 : matched == 1 && *read_byte == '[' ? 2 : 0;
    return 1;
}

enum editor_result editor_read(const char *prompt, char **line)
{
    errno = 0;
    *line = linenoise(prompt);
    if (!*line)
        return errno == EAGAIN ? EDITOR_CANCELLED : EDITOR_END;
    if ((*line)[strspn(*line, " \t")])
        linenoiseHistoryAdd(*line);
    return EDITOR_LINE;
}
