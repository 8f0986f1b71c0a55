/* SPDX-License-Identifier: MIT */
/* Reads the kernel's command line. */
#include "arguments.h"

#include <errno.h>
#include <string.h>

#define RUN_KEY  "quire.run="
#define NEXT_KEY " quire."

/* The text after the key, which is at the start of the line or behind a space; NULL if it is not there. */
static const char *find_run(const char *line)
{
    for (const char *found = strstr(line, RUN_KEY); found; found = strstr(found + 1, RUN_KEY))
        if (found == line || found[-1] == ' ')
            return found + strlen(RUN_KEY);
    return NULL;
}

long arguments_run(const char *line, char *block, size_t size)
{
    const char *text = find_run(line);
    size_t used = 0;

    if (!text)
        return 0;
    const char *end = strstr(text, NEXT_KEY);
    if (!end)
        end = text + strlen(text);
    while (text < end) {
        size_t length = 0;
        while (text + length < end && text[length] != ' ')
            length++;
        if (length > 0) {
            if (length + 1 > size - used)
                return -E2BIG;
            memcpy(block + used, text, length);
            block[used + length] = '\0';
            used += length + 1;
        }
        text += length + 1;
    }
    return (long)used;
}

bool arguments_has(const char *line, const char *word)
{
    size_t length = strlen(word);

    for (const char *found = strstr(line, word); found; found = strstr(found + 1, word))
        if ((found == line || found[-1] == ' ') && (found[length] == ' ' || found[length] == '\0'))
            return true;
    return false;
}
