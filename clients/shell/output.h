/* SPDX-License-Identifier: MIT */
/*
 * What commands print besides their own text: lists of figures, JSON, and screens that refresh.
 */
#ifndef SHELL_OUTPUT_H
#define SHELL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "json.h"

/* The command was given with --json. */
extern bool output_json;

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
