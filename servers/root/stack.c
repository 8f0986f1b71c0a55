/* SPDX-License-Identifier: MIT */
/* Lays out the upper end of a program's first stack: strings at the top, vectors below them. */
#include "stack.h"

#include <errno.h>
#include <string.h>

#define AUXILIARY_FLAGS 8u /* AT_FLAGS */

static const char first_environment[] =
    "PATH=/bin:/tests\0HOME=/\0TERM=vt100"; /* the literal's own zero ends the last */

static size_t count_strings(const char *strings, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++)
        count += strings[i] == '\0';
    return count;
}

/* Writes the addresses of the next `count` strings and a final zero to words, and steps over both. */
static void put_vector(uint64_t **words, const char **strings, uint64_t *address, size_t count)
{
    while (count-- > 0) {
        const size_t bytes = strlen(*strings) + 1;
        *(*words)++ = *address;
        *strings += bytes;
        *address += bytes;
    }
    *(*words)++ = 0;
}

struct stack_image *stack_image(uint64_t end)
{
    static struct stack_image image;

    image.end = end;
    return &image;
}

char *stack_strings(struct stack_image *image, size_t bytes)
{
    return (char *)image->words + STACK_IMAGE_BYTES - bytes;
}

int stack_build(struct stack_image *image, size_t bytes, size_t arguments, size_t environment, uint64_t flags)
{
    if (bytes > STRING_BYTES_MAX || arguments > STRINGS_MAX || environment > STRINGS_MAX - arguments)
        return -E2BIG;
    const char *strings = stack_strings(image, bytes);
    if (arguments == 0 || bytes == 0 || strings[0] == '\0' || strings[bytes - 1] != '\0' ||
        count_strings(strings, bytes) != arguments + environment)
        return -EINVAL;

    /* argc, argv and its end, environment and its end, auxiliary vector and its end. */
    const size_t words = 1 + arguments + 1 + environment + 1 + 4;
    uint64_t address = image->end - bytes;
    image->start = (STACK_IMAGE_BYTES - bytes - words * sizeof(uint64_t)) & ~15UL;
    image->pointer = image->end - STACK_IMAGE_BYTES + image->start;
    uint64_t *vector = &image->words[image->start / sizeof(uint64_t)];
    *vector++ = arguments;
    put_vector(&vector, &strings, &address, arguments);
    put_vector(&vector, &strings, &address, environment);
    *vector++ = AUXILIARY_FLAGS;
    *vector++ = flags;
    *vector++ = 0;
    *vector = 0;
    return 0;
}

int stack_build_arguments(struct stack_image *image, const char *strings, size_t bytes)
{
    const size_t count = count_strings(strings, bytes);

    if (bytes == 0 || strings[bytes - 1] != '\0')
        return -EINVAL;
    if (bytes > ARGUMENT_BYTES_MAX || count > ARGUMENT_COUNT_MAX)
        return -E2BIG;
    char *place = stack_strings(image, bytes + sizeof(first_environment));
    memcpy(place, strings, bytes);
    memcpy(place + bytes, first_environment, sizeof(first_environment));
    return stack_build(image, bytes + sizeof(first_environment), count,
                       count_strings(first_environment, sizeof(first_environment)), 0);
}
