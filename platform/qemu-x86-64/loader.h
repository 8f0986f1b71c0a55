/* SPDX-License-Identifier: MIT */
/*
 * What boot loaders say, in whichever form. Nothing of it is believed without a look; whether the pieces of RAM and the
 * archive make sense together is for discover.c.
 */
#ifndef PLATFORM_LOADER_H
#define PLATFORM_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define LOADER_MEMORY_MAX 128u

struct loader_information {
    struct memory_region memory[LOADER_MEMORY_MAX]; /* RAM, in any order; none empty, none beyond the last address */
    uint32_t memory_count;
    struct memory_region archive; /* the first module; size 0: there is none */
    const char *arguments;        /* in the loader's memory, without a zero at the end */
    size_t arguments_bytes;
    uint64_t root_pointer; /* physical, of ACPI's or of a copy; 0: the loader does not know it */
};

/*
 * Reads multiboot2's tags, which lie at `information` and at the physical address `place`; no byte beyond `available` is
 * looked at. NULL, or what is wrong with them, as the end of a sentence; *loader is undefined then.
 */
__attribute__((warn_unused_result)) const char *multiboot2_read(const void *information, uint64_t available,
                                                                uint64_t place, struct loader_information *loader);

/* The same for PVH's start information at the physical address `place`; memory below `end` lies where it is. */
__attribute__((warn_unused_result)) const char *pvh_read(uint64_t place, uint64_t end,
                                                         struct loader_information *loader);

/* Adds a piece of RAM. False: there are too many, or it goes beyond the last address. */
static inline bool loader_add_memory(struct loader_information *loader, uint64_t base, uint64_t size)
{
    if (!size)
        return true;
    if (loader->memory_count == LOADER_MEMORY_MAX || size > UINT64_MAX - base)
        return false;
    loader->memory[loader->memory_count++] = (struct memory_region){base, size};
    return true;
}

#endif
