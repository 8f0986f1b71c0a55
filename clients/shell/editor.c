/* SPDX-License-Identifier: MIT */
/*
 * Line editing with linenoise.
 */
#include "editor.h"

#include <errno.h>
#include <linenoise.h>
#include <stdlib.h>
#include <string.h>

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
