/* SPDX-License-Identifier: MIT */
/* Writing JSON as it comes, one value a line of output. One thread does. */
#ifndef SHELL_JSON_H
#define SHELL_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

#endif
