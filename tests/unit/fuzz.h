/* SPDX-License-Identifier: MIT */
/* Damage for parsers: copies of valid input with bits flipped, bytes replaced, ends cut off. */
#ifndef UNIT_FUZZ_H
#define UNIT_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "harness.h"

/*
 * Returns a damaged copy of bytes[0..size) in a block of exactly *damaged_size bytes, so that the sanitizer sees a read
 * past the end. The first `hot` bytes (headers) are hit more often. The caller frees it.
 */
static inline uint8_t *fuzz_damage(const uint8_t *bytes, size_t size, size_t hot, size_t *damaged_size)
{
    static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, '0', 'f', 'F', '7'};
    *damaged_size = random_chance(30) ? random_below(size + 1) : size;
    uint8_t *damaged = malloc(*damaged_size ? *damaged_size : 1);
    EXPECT(damaged);
    memcpy(damaged, bytes, *damaged_size);
    for (uint64_t changes = random_below(6); changes > 0 && *damaged_size > 0; changes--) {
        size_t reach = random_chance(80) && hot < *damaged_size ? hot : *damaged_size;
        size_t place = random_below(reach);
        switch (random_below(4)) {
        case 0:
            damaged[place] ^= (uint8_t)(1u << random_below(8));
            break;
        case 1:
            damaged[place] = (uint8_t)random_next();
            break;
        case 2:
            damaged[place] = special[random_below(sizeof(special))];
            break;
        default: /* a whole field at once */
            for (size_t i = place & ~7ul; i < *damaged_size && i < (place & ~7ul) + 8; i++)
                damaged[i] = special[changes % sizeof(special)];
        }
    }
    return damaged;
}

/* The same with nothing but random bytes. */
static inline uint8_t *fuzz_noise(size_t limit, size_t *size)
{
    *size = random_below(limit);
    uint8_t *noise = malloc(*size ? *size : 1);
    EXPECT(noise);
    for (size_t i = 0; i < *size; i++)
        noise[i] = (uint8_t)random_next();
    return noise;
}

/* Reads every byte, so that the sanitizer sees one that is not there. */
static inline unsigned fuzz_touch(const void *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += ((const volatile uint8_t *)bytes)[i];
    return sum;
}

#endif
