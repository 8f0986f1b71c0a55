/* SPDX-License-Identifier: MIT */
/* Lays out a program's first stack page: strings at the top, vectors below them. */
#include "stack.h"

#include <errno.h>
#include <string.h>

static const char environment[] = "PATH=/bin:/tests\0HOME=/\0TERM=vt100"; /* the literal's own zero ends the last */

_Static_assert(ARGUMENT_BYTES_MAX + sizeof(environment) + (ARGUMENT_COUNT_MAX + 16) * sizeof(uint64_t) <= PAGE_SIZE,
               "the largest accepted arguments fit the page");

static size_t count_strings(const char *strings, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++)
        count += strings[i] == '\0';
    return count;
}

/* Writes the addresses of the strings and a final zero to words; `address` is that of the first string. */
static uint64_t *put_vector(uint64_t *words, const char *strings, size_t bytes, uint64_t address)
{
    for (size_t i = 0; i < bytes; i += strlen(strings + i) + 1)
        *words++ = address + i;
    *words++ = 0;
    return words;
}

int stack_build(struct stack_page *page, const char *strings, size_t bytes)
{
    if (bytes == 0 || strings[0] == '\0' || strings[bytes - 1] != '\0')
        return -EINVAL;
    size_t argument_count = count_strings(strings, bytes);
    if (bytes > ARGUMENT_BYTES_MAX || argument_count > ARGUMENT_COUNT_MAX)
        return -E2BIG;

    memset(page, 0, sizeof(*page));
    const uint64_t base = STACK_TOP - PAGE_SIZE;
    const size_t environment_at = PAGE_SIZE - sizeof(environment);
    const size_t strings_at = environment_at - bytes;
    memcpy((char *)page->words + environment_at, environment, sizeof(environment));
    memcpy((char *)page->words + strings_at, strings, bytes);

    /* argc, argv and its end, environment and its end, auxiliary vector of its end alone. */
    size_t words = 1 + argument_count + 1 + count_strings(environment, sizeof(environment)) + 1 + 2;
    size_t vectors_at = (strings_at - words * sizeof(uint64_t)) & ~15UL;
    uint64_t *vector = &page->words[vectors_at / sizeof(uint64_t)];
    *vector++ = argument_count;
    vector = put_vector(vector, strings, bytes, base + strings_at);
    put_vector(vector, environment, sizeof(environment), base + environment_at);
    page->pointer = base + vectors_at;
    return 0;
}
