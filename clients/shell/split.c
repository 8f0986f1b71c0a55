/* SPDX-License-Identifier: MIT */
/*
 * Cutting a typed line into arguments; see split.h.
 */
#include "split.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static bool has_control(const char *line)
{
    for (; *line; line++) {
        if (((unsigned char)*line < ' ' && *line != '\t') || *line == 127)
            return true;
    }
    return false;
}

/* Reads one argument at *from, writes it without its quotes at `to` (never behind *from) and moves *from behind it. */
static int take_argument(char **from, char *to)
{
    char quote = 0;
    char *next = *from;

    for (; *next && (quote || !is_blank(*next)); next++) {
        if (quote && *next == quote) {
            quote = 0;
        } else if (!quote && (*next == '\'' || *next == '"')) {
            quote = *next;
        } else if (*next == '\\' && (!quote || (quote == '"' && (next[1] == '"' || next[1] == '\\')))) {
            if (!next[1])
                return -EINVAL;
            *to++ = *++next;
        } else {
            *to++ = *next;
        }
    }
    if (quote)
        return -EINVAL;
    if (*next)
        next++;
    *to = 0;
    *from = next;
    return 0;
}

int split_line(char *line, char *arguments[SPLIT_ARGUMENTS_MAX + 1])
{
    int count = 0;

    if (has_control(line))
        return -EILSEQ;
    for (;;) {
        while (is_blank(*line))
            line++;
        if (!*line || *line == '#')
            break;
        if (count == SPLIT_ARGUMENTS_MAX)
            return -E2BIG;
        arguments[count++] = line;
        const int error = take_argument(&line, line);
        if (error < 0)
            return error;
    }
    arguments[count] = NULL;
    return count;
}
