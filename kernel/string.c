/* SPDX-License-Identifier: MIT */
/*
 * The few functions of <string.h> and <stdlib.h> that the compiler, libfdt and the kernel call. General registers
 * alone, and no access wider than the addresses are aligned for, so that they serve device memory and early boot, too.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES sizeof(uint64_t)

typedef uint64_t __attribute__((may_alias)) word;

static bool both_aligned(const void *first, const void *second)
{
    return (((uintptr_t)first | (uintptr_t)second) & (WORD_BYTES - 1)) == 0;
}

/* The copying loops must not be turned into calls of the functions that they are. */
#if __has_attribute(optimize)
#define NO_LOOP_CALLS __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define NO_LOOP_CALLS
#endif

NO_LOOP_CALLS void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    char *target = to;
    const char *source = from;

    if (both_aligned(target, source)) {
        for (; bytes >= 4 * WORD_BYTES; bytes -= 4 * WORD_BYTES) {
            word a = ((const word *)source)[0], b = ((const word *)source)[1];
            word c = ((const word *)source)[2], d = ((const word *)source)[3];
            ((word *)target)[0] = a;
            ((word *)target)[1] = b;
            ((word *)target)[2] = c;
            ((word *)target)[3] = d;
            source += 4 * WORD_BYTES;
            target += 4 * WORD_BYTES;
        }
        for (; bytes >= WORD_BYTES; bytes -= WORD_BYTES) {
            *(word *)target = *(const word *)source;
            source += WORD_BYTES;
            target += WORD_BYTES;
        }
    }
    while (bytes--)
        *target++ = *source++;
    return to;
}

NO_LOOP_CALLS void *memmove(void *to, const void *from, size_t bytes)
{
    char *target = to;
    const char *source = from;

    if ((uintptr_t)target - (uintptr_t)source >= bytes)
        return memcpy(to, from, bytes);
    while (bytes--)
        target[bytes] = source[bytes];
    return to;
}

NO_LOOP_CALLS void *memset(void *to, int byte, size_t bytes)
{
    char *target = to;
    const word pattern = (unsigned char)byte * 0x0101010101010101UL;

    for (; bytes && (uintptr_t)target % WORD_BYTES; bytes--)
        *target++ = (char)byte;
    for (; bytes >= 4 * WORD_BYTES; bytes -= 4 * WORD_BYTES) {
        ((word *)target)[0] = pattern;
        ((word *)target)[1] = pattern;
        ((word *)target)[2] = pattern;
        ((word *)target)[3] = pattern;
        target += 4 * WORD_BYTES;
    }
    while (bytes--)
        *target++ = (char)byte;
    return to;
}

int memcmp(const void *first, const void *second, size_t bytes)
{
    const unsigned char *a = first, *b = second;
    for (; bytes; a++, b++, bytes--) {
        if (*a != *b)
            return *a - *b;
    }
    return 0;
}

void *memchr(const void *in, int byte, size_t bytes)
{
    const unsigned char *p = in;
    for (; bytes; p++, bytes--) {
        if (*p == (unsigned char)byte)
            return (void *)p;
    }
    return NULL;
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;
    while (length < limit && text[length])
        length++;
    return length;
}

NO_LOOP_CALLS size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

char *strchr(const char *text, int character)
{
    for (;; text++) {
        if (*text == (char)character)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

char *strrchr(const char *text, int character)
{
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)character)
            found = text;
        if (!*text)
            return (char *)found;
    }
}

int strncmp(const char *first, const char *second, size_t limit)
{
    for (; limit; first++, second++, limit--) {
        if (*first != *second)
            return (unsigned char)*first - (unsigned char)*second;
        if (!*first)
            break;
    }
    return 0;
}

int strcmp(const char *first, const char *second)
{
    return strncmp(first, second, SIZE_MAX);
}

static unsigned digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return (unsigned)(character - '0');
    if (character >= 'a' && character <= 'z')
        return (unsigned)(character - 'a') + 10;
    if (character >= 'A' && character <= 'Z')
        return (unsigned)(character - 'A') + 10;
    return UINT_MAX;
}

/* As the standard has it, but for leading space and signs, which it does not take. Overflow gives ULONG_MAX. */
unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    const char *digits = text;
    unsigned long value = 0;
    bool overflow = false;

    if ((base == 0 || base == 16) && text[0] == '0' && (text[1] | 0x20) == 'x' && digit_value(text[2]) < 16) {
        digits = text + 2;
        base = 16;
    } else if (base == 0) {
        base = *text == '0' ? 8 : 10;
    }
    const char *start = digits;
    for (unsigned digit; (digit = digit_value(*digits)) < (unsigned)base; digits++) {
        overflow |= __builtin_mul_overflow(value, (unsigned long)base, &value);
        overflow |= __builtin_add_overflow(value, (unsigned long)digit, &value);
    }
    if (end)
        *end = (char *)(digits == start ? text : digits);
    return overflow ? ULONG_MAX : value;
}
