/* SPDX-License-Identifier: MIT */
/*
 * Formatting and writing of root's messages, and the end of the machine. Used by root's threads at once, so nothing
 * here is static.
 */
#include "log.h"

#include <quire/syscall.h>
#include <stdarg.h>
#include <string.h>

struct text {
    char *bytes;
    size_t size, length;
};

static void text_put(struct text *text, char c)
{
    if (text->length + 1 < text->size)
        text->bytes[text->length++] = c;
}

static void text_put_number(struct text *text, unsigned long value, unsigned base)
{
    char digits[24];
    size_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    while (count > 0)
        text_put(text, digits[--count]);
}

/* One conversion; *format is at the character after '%' and is left at the conversion's last one. */
static void text_convert(struct text *text, const char **format, va_list *arguments)
{
    if (**format == 'l')
        (*format)++;
    switch (**format) {
    case 's':
        for (const char *s = va_arg(*arguments, const char *); *s; s++)
            text_put(text, *s);
        break;
    case 'd': {
        long value = va_arg(*arguments, long);
        if (value < 0)
            text_put(text, '-');
        text_put_number(text, value < 0 ? -(unsigned long)value : (unsigned long)value, 10);
        break;
    }
    case 'u':
        text_put_number(text, va_arg(*arguments, unsigned long), 10);
        break;
    case 'x':
        text_put_number(text, va_arg(*arguments, unsigned long), 16);
        break;
    default:
        text_put(text, '%');
        break;
    }
}

static size_t format_list(char *bytes, size_t size, const char *format, va_list *arguments)
{
    struct text text = {.bytes = bytes, .size = size};

    for (; *format; format++) {
        if (*format != '%') {
            text_put(&text, *format);
            continue;
        }
        format++;
        if (*format == '\0')
            break;
        text_convert(&text, &format, arguments);
    }
    bytes[text.length] = '\0';
    return text.length;
}

size_t format_text(char *text, size_t bytes, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_list(text, bytes, format, &arguments);
    va_end(arguments);
    return length;
}

void log_bytes(const char *text, size_t bytes)
{
    char *line = (char *)ipc_buffer()->words;

    if (bytes > LOG_BYTES_MAX)
        bytes = LOG_BYTES_MAX;
    for (size_t i = 0; i < bytes; i++)
        line[i] = text[i] & 0x80 ? '?' : text[i];
    (void)!sys_system(SLOT_PHYSICAL, SYSTEM_LOG, bytes, 0, NULL);
}

static void log_list(const char *format, va_list *arguments)
{
    char line[LOG_LINE_MAX] = "root: ";
    size_t prefix = strlen(line);
    size_t length = prefix + format_list(line + prefix, sizeof(line) - prefix - 1, format, arguments);

    line[length++] = '\n';
    log_bytes(line, length);
}

void log_line(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(format, &arguments);
    va_end(arguments);
}

void fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(format, &arguments);
    va_end(arguments);
    power_off(STATUS_FATAL);
}

void power_off(int status)
{
    for (;;)
        (void)!sys_system(SLOT_PHYSICAL, SYSTEM_POWER_OFF, (uint64_t)status, 0, NULL);
}
