/* SPDX-License-Identifier: MIT */
/*
 * Starting and ending other programs, until there is fork() and exec(). Errors are negative errno values.
 */
#ifndef QUIRE_PROCESS_H
#define QUIRE_PROCESS_H

#include <stdint.h>

#define PROCESS_MUST_CHECK __attribute__((warn_unused_result))

/* Starts the program that arguments[0] names, as a child; the array ends with a null pointer. Returns its number, or
 * ENOENT, ENOEXEC, ENOMEM, EAGAIN, E2BIG (arguments longer than a message). */
PROCESS_MUST_CHECK int64_t process_spawn(const char *const *arguments);

/* Blocks until child `pid` ends. Returns its exit status 0..255 (128 + 9: killed, 128 + 11: memory fault), or ECHILD,
 * EAGAIN. Each child can be waited for once. */
PROCESS_MUST_CHECK int process_wait(uint64_t pid);

/* process_spawn(), then process_wait(). */
PROCESS_MUST_CHECK int process_run(const char *const *arguments);

#endif
