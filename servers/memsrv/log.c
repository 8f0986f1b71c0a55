/* SPDX-License-Identifier: MIT */
/* Formatting without the C library's state, which threads of memsrv would share; and memsrv's end. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <base/check.h>
#include <quire/syscall.h>

#include "log.h"

#define LINE_BYTES   200u
#define STATUS_FATAL 101

struct line {
    size_t length;
    char bytes[LINE_BYTES + 1]; /* one more for the end of line */
};

static void put(struct line *line, char c)
{
    if (line->length < LINE_BYTES)
        line->bytes[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
    while (*text)
        put(line, *text++);
}

static void put_number(struct line *line, uint64_t value, unsigned base)
{
    char digits[24];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(line, digits[--count]);
}

static void put_conversion(struct line *line, char conversion, va_list *arguments)
{
    if (conversion == 's') {
        put_text(line, va_arg(*arguments, const char *));
    } else if (conversion == 'd') {
        long value = va_arg(*arguments, long);
        if (value < 0)
            put(line, '-');
        put_number(line, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
    } else {
        put_number(line, va_arg(*arguments, uint64_t), conversion == 'x' ? 16 : 10);
    }
}

static void log_arguments(const char *format, va_list *arguments)
{
    struct line line = {0};

    put_text(&line, "memsrv: ");
    for (; *format; format++) {
        if (*format != '%') {
            put(&line, *format);
            continue;
        }
        if (*++format == 'l')
            format++;
        put_conversion(&line, *format, arguments);
    }
    line.bytes[line.length++] = '\n';
    memcpy(ipc_buffer()->words, line.bytes, line.length);
    (void)!sys_system(SLOT_PHYSICAL, SYSTEM_LOG, line.length, 0, NULL);
}

void log_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_arguments(format, &arguments);
    va_end(arguments);
}

_Noreturn void fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_arguments(format, &arguments);
    va_end(arguments);
    for (;;)
        (void)!sys_system(SLOT_PHYSICAL, SYSTEM_POWER_OFF, STATUS_FATAL, 0, NULL);
}

/* The checks of lib/mm and of memsrv end here: without its memory manager the system cannot go on. */
_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    fatal("%s:%lu: check failed: %s", file, (uint64_t)line, expression);
}
