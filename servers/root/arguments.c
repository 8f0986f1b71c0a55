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

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Decodes the escape at text[0, length), behind its '%'. Returns the byte, or NO_BYTE for "%-", and the length of what
 * it read in *used; EINVAL: it is none. */
#define NO_BYTE 0
static int read_escape(const char *text, size_t length, size_t *used)
{
    *used = 1;
    if (length >= 1 && text[0] == '-')
        return NO_BYTE;
    *used = 2;
    const int high = length >= 2 ? digit_value(text[0]) : -1;
    const int low = length >= 2 ? digit_value(text[1]) : -1;
    return high < 0 || low < 0 || high + low == 0 ? -EINVAL : high << 4 | low;
}

/* Writes the word text[0, length) with a final zero to block[0, size). Returns the bytes written, E2BIG or EINVAL. */
static long put_word(const char *text, size_t length, char *block, size_t size)
{
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        int byte = (unsigned char)text[i];
        if (byte == '%') {
            size_t used;
            byte = read_escape(text + i + 1, length - i - 1, &used);
            if (byte < 0)
                return byte;
            i += used;
        }
        if (byte == NO_BYTE)
            continue;
        if (written == size)
            return -E2BIG;
        block[written++] = (char)byte;
    }
    if (written == size)
        return -E2BIG;
    block[written++] = '\0';
    return (long)written;
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
            const long written = put_word(text, length, block + used, size - used);
            if (written < 0)
                return written;
            used += (size_t)written;
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
