/* SPDX-License-Identifier: MIT */
/*
 * Reading a line with editing, history and completion. A seam around the library that does it.
 */
#ifndef SHELL_EDITOR_H
#define SHELL_EDITOR_H

#include <sys/types.h>

enum editor_result {
    EDITOR_LINE,      /* *line is a line; the caller frees it with free() */
    EDITOR_CANCELLED, /* ^C */
    EDITOR_END,       /* end of input */
};

/* To be called once. `complete` calls editor_offer() for each line that continues what was typed so far. */
void editor_init(void (*complete)(const char *typed));

/* Only from within `complete`: one line that what was typed could become. A copy is kept. */
void editor_offer(const char *line);

/* Prompts and reads. Lines that are not blank are remembered. */
enum editor_result editor_read(const char *prompt, char **line);

/* What linenoise calls in read()'s place, for one byte. */
ssize_t editor_read_byte(int file, void *byte, size_t bytes);

#endif
