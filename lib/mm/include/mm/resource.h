/* SPDX-License-Identifier: MIT */
/*
 * Limits of what one address space may use. A limit has a soft value, which counts, and a hard one, up to which the
 * program itself may raise the soft one. Pure; whoever owns the table has the lock.
 */
#ifndef MM_RESOURCE_H
#define MM_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>

#define RESOURCE_UNLIMITED UINT64_MAX

/* The numbers that programs know them by. */
enum resource {
    RESOURCE_DATA = 2,          /* bytes of private writable memory without stacks, the heap included */
    RESOURCE_STACK = 3,         /* bytes to which a stack grows */
    RESOURCE_LOCKED_MEMORY = 8, /* bytes */
    RESOURCE_ADDRESS_SPACE = 9, /* bytes in areas */
    RESOURCE_END = 10
};

#define RESOURCE_STACK_DEFAULT  (8UL << 20)
#define RESOURCE_LOCKED_DEFAULT (8UL << 20)

struct resource_limit {
    uint64_t soft, hard;
};

struct resource_table {
    struct resource_limit limits[RESOURCE_END];
};

/* The limits of a program that nobody has limited. */
void resource_table_init(struct resource_table *table);

/* True for the numbers that the table has limits for. */
bool resource_is_known(uint64_t resource);

/* Sets a limit. EINVAL: unknown, or soft above hard; EPERM: the hard limit would rise and the caller is not privileged.
 * A failure changes nothing. */
MUST_CHECK int resource_set(struct resource_table *table, uint64_t resource, struct resource_limit limit,
                            bool privileged);

/* True if `more` bytes may be added to `used`. */
static inline bool resource_allows(const struct resource_table *table, enum resource resource, uint64_t used,
                                   uint64_t more)
{
    uint64_t soft = table->limits[resource].soft;
    return soft == RESOURCE_UNLIMITED || (used <= soft && more <= soft - used);
}

#endif
