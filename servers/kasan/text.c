/* SPDX-License-Identifier: MIT */
/* The C library's functions on bytes, which are not compiled for this: what they are given is looked at instead. */
#include "kasan.h"

#include <string.h>

#define REPLACES(result, name, ...)                                                                                    \
    result __real_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__)

REPLACES(void *, memcpy, void *to, const void *from, size_t bytes)
{
    access_check(from, bytes, false, CALL_FRAME());
    access_check(to, bytes, true, CALL_FRAME());
    return __real_memcpy(to, from, bytes);
}

REPLACES(void *, memmove, void *to, const void *from, size_t bytes)
{
    access_check(from, bytes, false, CALL_FRAME());
    access_check(to, bytes, true, CALL_FRAME());
    return __real_memmove(to, from, bytes);
}

REPLACES(void *, memset, void *to, int byte, size_t bytes)
{
    access_check(to, bytes, true, CALL_FRAME());
    return __real_memset(to, byte, bytes);
}

REPLACES(int, memcmp, const void *one, const void *other, size_t bytes)
{
    access_check(one, bytes, false, CALL_FRAME());
    access_check(other, bytes, false, CALL_FRAME());
    return __real_memcmp(one, other, bytes);
}

REPLACES(size_t, strlen, const char *text)
{
    const size_t length = __real_strlen(text);
    access_check(text, length + 1, false, CALL_FRAME());
    return length;
}

REPLACES(char *, strcpy, char *to, const char *from)
{
    const size_t bytes = __real_strlen(from) + 1;
    access_check(from, bytes, false, CALL_FRAME());
    access_check(to, bytes, true, CALL_FRAME());
    return __real_memcpy(to, from, bytes);
}
