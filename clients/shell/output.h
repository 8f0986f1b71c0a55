/* SPDX-License-Identifier: MIT */
/*
 * What commands print besides their own text: lists of figures, JSON, and screens that refresh. JSON is written as it
 * comes, one value a line of output.
 */
#ifndef SHELL_OUTPUT_H
#define SHELL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The command was given with --json. */
extern bool output_json;

/* Where JSON goes from now on: standard output, if `file` is NULL. */
void json_to(FILE *file);

/* Opens an object ('{') or a list ('['), within another or as the whole value; `name` is NULL in a list and outside. */
void json_open(const char *name, char bracket);

/* Closes what was opened last. */
void json_close(void);

void json_number(const char *name, uint64_t value);
void json_signed(const char *name, int64_t value);

/* A number with three digits behind the point. */
void json_fraction(const char *name, uint64_t whole, uint64_t thousandths);

/* A text of at most `size` bytes, or to its zero. */
void json_text(const char *name, const char *text, size_t size);

struct statistic;

/* Prints figures, a line each, their values from `column` on and with ` kB` behind those that are KiB; or as one JSON object. */
void print_statistics(const struct statistic *figures, size_t count, int column);

/* Makes the terminal tell of single keys; refresh_end() makes it as it was. */
void refresh_begin(void);
void refresh_end(void);

/* Waits so many seconds. False: a key was pressed meanwhile, or the input has ended. */
bool refresh_wait(unsigned seconds);

/* How often a command shows something, and how many seconds apart: arguments [INTERVAL [COUNT]]. */
struct refresh {
    unsigned long interval, count; /* count 0: until a key is pressed */
};

/* Reads them from arguments[index ..]; without any it is once. 0, or EINVAL. */
__attribute__((warn_unused_result)) int refresh_parse(int count, char **arguments, int index, struct refresh *refresh);

/* Calls `show` as often as that; its error ends it. */
__attribute__((warn_unused_result)) int refresh_run(const struct refresh *refresh, int (*show)(void *), void *context);

#endif
