/* SPDX-License-Identifier: MIT */
/* The formatter of the log. It collects a few bytes at a time on the stack and never needs more. */
#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "platform.h"

#define CHUNK_BYTES      128u
#define WIDTH_MAX        32u
#define NUMBER_BYTES_MAX 24u
#define LOCK_SPINS_MAX   20000000u

struct writer {
    char chunk[CHUNK_BYTES];
    size_t used;
};

struct conversion {
    unsigned width;
    bool zeroes;
    bool is_long;
    char letter;
};

static bool log_busy;

static void writer_flush(struct writer *writer)
{
    platform_log(writer->chunk, writer->used);
    writer->used = 0;
}

static void put(struct writer *writer, char character)
{
    if (writer->used == CHUNK_BYTES)
        writer_flush(writer);
    writer->chunk[writer->used++] = character;
}

static void put_padded(struct writer *writer, const char *text, size_t length, const struct conversion *conversion)
{
    char padding = conversion->zeroes ? '0' : ' ';
    size_t sign = conversion->zeroes && length && *text == '-';

    if (sign)
        put(writer, '-');
    for (size_t i = length; i < conversion->width; i++)
        put(writer, padding);
    for (size_t i = sign; i < length; i++)
        put(writer, text[i]);
}

static void put_number(struct writer *writer, uint64_t value, unsigned base, bool negative,
                       const struct conversion *conversion)
{
    char text[NUMBER_BYTES_MAX];
    size_t start = sizeof(text);

    do {
        text[--start] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative)
        text[--start] = '-';
    put_padded(writer, text + start, sizeof(text) - start, conversion);
}

static const char *parse_conversion(const char *format, struct conversion *conversion)
{
    *conversion = (struct conversion){0};
    if (*format == '0') {
        conversion->zeroes = true;
        format++;
    }
    while (*format >= '0' && *format <= '9')
        conversion->width = conversion->width * 10 + (unsigned)(*format++ - '0');
    if (conversion->width > WIDTH_MAX)
        conversion->width = WIDTH_MAX;
    while (*format == 'l') {
        conversion->is_long = true;
        format++;
    }
    conversion->letter = *format;
    return format;
}

static void put_string(struct writer *writer, const char *text, const struct conversion *conversion)
{
    struct conversion spaces = *conversion;
    spaces.zeroes = false;
    if (!text)
        text = "(null)";
    put_padded(writer, text, strlen(text), &spaces);
}

static void put_signed(struct writer *writer, int64_t value, const struct conversion *conversion)
{
    put_number(writer, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, conversion);
}

static void format_text(struct writer *writer, const char *format, va_list *arguments)
{
    for (; *format; format++) {
        struct conversion conversion;
        if (*format != '%') {
            put(writer, *format);
            continue;
        }
        format = parse_conversion(format + 1, &conversion);
        switch (conversion.letter) {
        case 's':
            put_string(writer, va_arg(*arguments, const char *), &conversion);
            break;
        case 'c':
            put(writer, (char)va_arg(*arguments, int));
            break;
        case 'd':
        case 'i':
            put_signed(writer, conversion.is_long ? va_arg(*arguments, long) : va_arg(*arguments, int), &conversion);
            break;
        case 'u':
        case 'x':
            put_number(writer, conversion.is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned),
                       conversion.letter == 'x' ? 16 : 10, false, &conversion);
            break;
        case 'p':
            put(writer, '0');
            put(writer, 'x');
            put_number(writer, (uintptr_t)va_arg(*arguments, void *), 16, false, &conversion);
            break;
        case '\0':
            return;
        default:
            put(writer, conversion.letter);
        }
    }
}

void log_vprintf(const char *format, va_list arguments)
{
    struct writer writer = {.used = 0};
    va_list copy;

    /* Better mixed text than a panic that waits for a CPU that hangs. */
    for (unsigned spins = 0; __atomic_test_and_set(&log_busy, __ATOMIC_ACQUIRE) && spins < LOCK_SPINS_MAX; spins++)
        ;
    va_copy(copy, arguments);
    format_text(&writer, format, &copy);
    va_end(copy);
    writer_flush(&writer);
    __atomic_clear(&log_busy, __ATOMIC_RELEASE);
}

void log_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_vprintf(format, arguments);
    va_end(arguments);
}
