/* SPDX-License-Identifier: MIT */
/*
 * Small arithmetic on powers of two. An `alignment` is a power of two everywhere below. Nothing here checks for
 * overflow but the functions that say so.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
    return (value & (alignment - 1)) == 0;
}

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
    return value & ~(alignment - 1);
}

/* Wraps to 0 if the result does not fit. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

/* The position of the lowest and of the highest bit that is set; `value` is not 0. */
static inline unsigned lowest_bit(uint64_t value)
{
    return (unsigned)__builtin_ctzll(value);
}

static inline unsigned highest_bit(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

/* True if [base, base+size) is not empty and does not wrap; base+size may be exactly 2^64 only for size 0, so never. */
static inline bool range_valid(uint64_t base, uint64_t size)
{
    uint64_t end;
    return size != 0 && !__builtin_add_overflow(base, size, &end);
}

/* True if the half-open ranges [a_start, a_end) and [b_start, b_end) share a value. */
static inline bool ranges_overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
    return a_start < b_end && b_start < a_end;
}

#endif
