/* SPDX-License-Identifier: MIT */
/*
 * root's own messages, on the kernel's log device: they need no server and never wait for one. A format knows %s, %lu,
 * %ld, %lx and %% only.
 */
#ifndef ROOT_LOG_H
#define ROOT_LOG_H

#include <stddef.h>

#define LOG_LINE_MAX 256u

/* Formats into text[0, bytes), always zero-terminated and cut off where it is full. Returns the length. */
size_t format_text(char *text, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes "root: " and one line. A log that cannot be written is not worth stopping for, so nothing is returned. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes bytes [text, text + bytes), at most LOG_BYTES_MAX of them. The log is ASCII, so that it can share its line with
 * other things: a byte with its high bit set becomes a question mark. */
#define LOG_BYTES_MAX 3584u
void log_bytes(const char *text, size_t bytes);

/* Writes one line and powers the machine off with STATUS_FATAL: the system cannot go on. */
#define STATUS_FATAL 102
__attribute__((noreturn, format(printf, 1, 2))) void fatal(const char *format, ...);

/* Powers the machine off; `status` is the emulator's exit status where it has one. */
__attribute__((noreturn)) void power_off(int status);

#endif
