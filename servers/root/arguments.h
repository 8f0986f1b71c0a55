/* SPDX-License-Identifier: MIT */
/* What the kernel's command line tells root. Pure. */
#ifndef ROOT_ARGUMENTS_H
#define ROOT_ARGUMENTS_H

#include <base/check.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Finds "quire.run=PROGRAM ARGUMENTS..." in the command line: it lasts until " quire." or the end. Writes its words,
 * each with a final zero, to block[0, size) and returns the bytes written; 0 if there is no such thing or no word in
 * it. In a word %XX is the byte with that hexadecimal code, and %- is nothing, so that an empty word can be written.
 * E2BIG: they do not fit; EINVAL: another character behind %, or %00. The block's content is then unspecified.
 */
MUST_CHECK long arguments_run(const char *line, char *block, size_t size);

/* True if `word` is one of the command line's words. */
MUST_CHECK bool arguments_has(const char *line, const char *word);

#endif
