/* SPDX-License-Identifier: MIT */
/*
 * memsrv's messages on the kernel's log device. Any thread may call; nothing here allocates or needs the C library's
 * state. The caller's IPC buffer is overwritten.
 */
#ifndef MEMSRV_LOG_H
#define MEMSRV_LOG_H

/* Writes one line, "memsrv: " in front of it. Of printf's conversions there are %s, %lu, %ld and %lx; all numbers are
 * 64 bits. What does not fit a line of 200 characters is cut. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then the machine is turned off: for failures at start, when nobody could be served. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
