/* SPDX-License-Identifier: MIT */
/*
 * What a program may ask about the system. Unknown questions give -1 with EINVAL, as POSIX says.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENT_BYTES_MAX 2048 /* what root takes */
#define OPEN_FILES         3

/* A count of pages out of memsrv's books; -1 with errno set if it does not answer. */
static long memory_pages(int free_only)
{
    struct memsrv_memory memory;
    size_t count;
    const int error = memsrv_memory_info(SLOT_MEMSRV, &memory, 1, &count);

    if (error < 0 || count != 1)
        return posix_result(error < 0 ? error : -EPROTO);
    return (long)(free_only ? memory.free + memory.lists : memory.total);
}

long sysconf(int name)
{
    switch (name) {
    case _SC_PAGESIZE:
        return (long)PAGE_SIZE;
    case _SC_PHYS_PAGES:
        return memory_pages(0);
    case _SC_AVPHYS_PAGES:
        return memory_pages(1);
    case _SC_CLK_TCK:
        return CLOCKS_PER_SEC;
    case _SC_ARG_MAX:
        return ARGUMENT_BYTES_MAX;
    case _SC_OPEN_MAX:
        return OPEN_FILES;
    case _SC_TIMERS:
    case _SC_MONOTONIC_CLOCK:
    case _SC_MAPPED_FILES:
    case _SC_MEMORY_PROTECTION:
        return _POSIX_MONOTONIC_CLOCK;
    default:
        return posix_result(-EINVAL);
    }
}

int getpagesize(void)
{
    return (int)PAGE_SIZE;
}
