/* SPDX-License-Identifier: MIT */
/*
 * The functions that the compiler calls before each access with -fsanitize=kernel-address. ASAN_CALLS(check) defines them, each
 * of which calls
 *
 *     check(const void *address, uint64_t size, bool write, const uint64_t *frame)
 *
 * where frame points to the record of the call: [0] is the caller's, [1] where the caller goes on.
 */
#ifndef BASE_ASAN_CALLS_H
#define BASE_ASAN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the compiler calls must not call it in turn. */
#define ASAN_UNWATCHED __attribute__((no_sanitize_address))
#define ASAN_FRAME     ((const uint64_t *)__builtin_frame_address(0))

#define ASAN_CALLS_OF_SIZE(check, size)                                                                                \
    void __asan_load##size##_noabort(void *address);                                                                   \
    ASAN_UNWATCHED void __asan_load##size##_noabort(void *address)                                                     \
    {                                                                                                                  \
        check(address, (uint64_t)size, false, ASAN_FRAME);                                                             \
    }                                                                                                                  \
    void __asan_store##size##_noabort(void *address);                                                                  \
    ASAN_UNWATCHED void __asan_store##size##_noabort(void *address)                                                    \
    {                                                                                                                  \
        check(address, (uint64_t)size, true, ASAN_FRAME);                                                              \
    }

#define ASAN_CALLS(check)                                                                                              \
    ASAN_CALLS_OF_SIZE(check, 1)                                                                                       \
    ASAN_CALLS_OF_SIZE(check, 2)                                                                                       \
    ASAN_CALLS_OF_SIZE(check, 4)                                                                                       \
    ASAN_CALLS_OF_SIZE(check, 8)                                                                                       \
    ASAN_CALLS_OF_SIZE(check, 16)                                                                                      \
    void __asan_loadN_noabort(void *address, long size);                                                               \
    ASAN_UNWATCHED void __asan_loadN_noabort(void *address, long size)                                                 \
    {                                                                                                                  \
        check(address, (uint64_t)size, false, ASAN_FRAME);                                                             \
    }                                                                                                                  \
    void __asan_storeN_noabort(void *address, long size);                                                              \
    ASAN_UNWATCHED void __asan_storeN_noabort(void *address, long size)                                                \
    {                                                                                                                  \
        check(address, (uint64_t)size, true, ASAN_FRAME);                                                              \
    }                                                                                                                  \
    void __asan_handle_no_return(void);

#endif
