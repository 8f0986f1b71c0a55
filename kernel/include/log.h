/* SPDX-License-Identifier: MIT */
/* The kernel's log: plain text to the platform's log device, at once and polled. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>

/*
 * Writes formatted text: %s %c %d %i %u %x %p %%, with l for long, a width of at most 32, and 0 for padding. A null
 * string is "(null)"; any other letter is written as it stands. Lock: none needed; texts of several CPUs are not mixed,
 * unless one of them hangs. Nothing is allocated and nothing fails; before there is a log device the text is lost.
 */
__attribute__((format(printf, 1, 2))) void log_printf(const char *format, ...);
__attribute__((format(printf, 1, 0))) void log_vprintf(const char *format, va_list arguments);

#endif
