/* SPDX-License-Identifier: MIT */
/*
 * Cutting a typed line into arguments. No system calls: the same file runs in host tests.
 */
#ifndef SHELL_SPLIT_H
#define SHELL_SPLIT_H

#define SPLIT_ARGUMENTS_MAX 64

/*
 * Cuts `line`, which is changed, into at most SPLIT_ARGUMENTS_MAX arguments and puts a null behind them. Blanks
 * separate; '...' keeps everything in it; "..." all but \" and \\; a backslash outside of quotes keeps the next
 * character; # at the start of an argument begins a comment. Returns the number of arguments, or a negative errno:
 * EINVAL: a quote is not closed or a backslash ends the line; E2BIG: too many arguments; EILSEQ: a control character.
 */
__attribute__((warn_unused_result)) int split_line(char *line, char *arguments[SPLIT_ARGUMENTS_MAX + 1]);

#endif
