/* SPDX-License-Identifier: MIT */
/*
 * The line discipline: what typed bytes become before a reader gets them. Plain data and no system calls, so the same
 * file runs in host tests. One thread uses it; it has no lock.
 *
 * Cooked: input is echoed and edited, and readers get finished lines. Backspace takes back a character, ^W a word, ^U
 * the line; ^C discards all that was typed and not read yet, and is told of; ^D ends it without a newline, and at its start is the end of input. Enter arrives as
 * a newline. Raw: bytes go to readers as they come, without echo.
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_EDIT_BYTES  1024u
#define LINE_READY_COUNT 4096u /* a power of two */

/* Shows `bytes` bytes at the terminal as they are. */
typedef void line_echo(void *context, const char *text, size_t bytes);

struct line {
    bool raw;
    bool interrupted; /* ^C was typed, cooked; whoever acts upon that clears it */
    line_echo *echo;
    void *echo_context;
    size_t edited;                    /* bytes of `edit` in use */
    uint8_t edit[LINE_EDIT_BYTES];    /* the unfinished line */
    uint32_t ready_first, ready_end;  /* count up and wrap; the place is the remainder by LINE_READY_COUNT */
    uint16_t ready[LINE_READY_COUNT]; /* bytes for readers, or the mark of an end of input */
};

/* Makes an empty, cooked line that echoes by `echo`. */
void line_init(struct line *line, line_echo *echo, void *context);

/* Takes one typed byte. What has no room is refused with a bell. */
void line_input(struct line *line, uint8_t byte);

/* Switches the mode. An unfinished line goes to the readers as it is: nothing typed is lost. */
void line_set_raw(struct line *line, bool raw);

/* True if line_read() has something to give: bytes, or the end of input. */
bool line_readable(const struct line *line);

/* Takes up to `capacity` bytes (cooked: of one line) into `data`; returns how many. 0 is the end of input. Requires
 * line_readable() and capacity > 0. */
size_t line_read(struct line *line, void *data, size_t capacity);

/* Gives back what the last line_read() took, when line_place() was `place` before it. */
uint32_t line_place(const struct line *line);
void line_unread(struct line *line, uint32_t place);

#endif
