/* SPDX-License-Identifier: MIT */
/*
 * The line discipline; see line.h.
 */
#include "line.h"

#include <string.h>

#define CONTROL(character) ((character)&0x1f)
#define DELETE             127
#define END_MARK           0x100u /* in `ready`: the end of input */

static void echo(struct line *line, const char *text)
{
    line->echo(line->echo_context, text, strlen(text));
}

static uint32_t ready_count(const struct line *line)
{
    return line->ready_end - line->ready_first;
}

/* The caller has made sure that there is room. */
static void ready_put(struct line *line, uint16_t entry)
{
    line->ready[line->ready_end++ % LINE_READY_COUNT] = entry;
}

static uint16_t ready_front(const struct line *line)
{
    return line->ready[line->ready_first % LINE_READY_COUNT];
}

/* Moves the unfinished line to the readers, with `end` after it. False, with a bell, if there is no room. */
static bool line_finish(struct line *line, uint16_t end)
{
    if (LINE_READY_COUNT - ready_count(line) < line->edited + 1) {
        echo(line, "\a");
        return false;
    }
    for (size_t index = 0; index < line->edited; index++)
        ready_put(line, line->edit[index]);
    ready_put(line, end);
    line->edited = 0;
    return true;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Control characters show as ^X; a tab as one space, so that each can be wiped out by its width. */
static bool shows_as_two(uint8_t byte)
{
    return byte == DELETE || (byte < ' ' && byte != '\t');
}

static void echo_byte(struct line *line, uint8_t byte)
{
    char text[3] = {(char)byte};

    if (shows_as_two(byte)) {
        text[0] = '^';
        text[1] = (char)(byte ^ 0x40);
    } else if (byte == '\t') {
        text[0] = ' ';
    }
    echo(line, text);
}

/* Takes back one character, all bytes of it. */
static void erase_character(struct line *line)
{
    uint8_t byte;

    if (line->edited == 0)
        return;
    do {
        byte = line->edit[--line->edited];
    } while (is_continuation(byte) && line->edited > 0);
    echo(line, shows_as_two(byte) ? "\b\b  \b\b" : "\b \b");
}

static void erase_word(struct line *line)
{
    while (line->edited > 0 && line->edit[line->edited - 1] == ' ')
        erase_character(line);
    while (line->edited > 0 && line->edit[line->edited - 1] != ' ')
        erase_character(line);
}

static void erase_all(struct line *line)
{
    while (line->edited > 0)
        erase_character(line);
}

/* One byte stays free in the buffer of the readers' side for the end of the longest line. */
static void insert(struct line *line, uint8_t byte)
{
    if (line->edited == LINE_EDIT_BYTES) {
        echo(line, "\a");
        return;
    }
    line->edit[line->edited++] = byte;
    echo_byte(line, byte);
}

static void input_cooked(struct line *line, uint8_t byte)
{
    switch (byte) {
    case '\r':
    case '\n':
        if (line_finish(line, byte))
            echo(line, "\r\n");
        break;
    case '\b':
    case DELETE:
        erase_character(line);
        break;
    case CONTROL('W'):
        erase_word(line);
        break;
    case CONTROL('U'):
        erase_all(line);
        break;
    case CONTROL('C'):
        line->edited = 0;
        line->ready_first = line->ready_end;
        line->interrupted = true;
        echo(line, "^C\r\n");
        break;
    case CONTROL('D'):
        (void)line_finish(line, END_MARK);
        break;
    default:
        insert(line, byte);
    }
}

void line_init(struct line *line, line_echo *echo, void *context)
{
    *line = (struct line){.echo = echo, .echo_context = context};
}

void line_input(struct line *line, uint8_t byte)
{
    if (!line->raw)
        input_cooked(line, byte);
    else if (ready_count(line) < LINE_READY_COUNT)
        ready_put(line, byte);
    else
        echo(line, "\a");
}

void line_set_raw(struct line *line, bool raw)
{
    if (raw && !line->raw) {
        for (size_t index = 0; index < line->edited && ready_count(line) < LINE_READY_COUNT; index++)
            ready_put(line, line->edit[index]);
        line->edited = 0;
    }
    line->raw = raw;
    line->interrupted = line->interrupted && !raw;
    /* A raw reader knows no end of input, so marks at the front would only look like one. */
    while (raw && line_readable(line) && ready_front(line) == END_MARK)
        line->ready_first++;
}

bool line_readable(const struct line *line)
{
    return ready_count(line) > 0;
}

size_t line_read(struct line *line, void *data, size_t capacity)
{
    uint8_t *bytes = data;
    size_t count = 0;

    while (count < capacity && line_readable(line)) {
        const uint16_t entry = ready_front(line);
        line->ready_first++;
        if (line->raw) {
            if (entry != END_MARK)
                bytes[count++] = (uint8_t)entry;
            continue;
        }
        if (entry == END_MARK)
            break;
        /* Enter is translated here and not when it is typed, because who reads it may be in the other mode then. */
        bytes[count++] = entry == '\r' ? '\n' : (uint8_t)entry;
        if (bytes[count - 1] == '\n')
            break;
    }
    return count;
}

uint32_t line_place(const struct line *line)
{
    return line->ready_first;
}

void line_unread(struct line *line, uint32_t place)
{
    line->ready_first = place;
}
