/* SPDX-License-Identifier: MIT */
/*
 * What a program may ask about the system. Unknown questions give -1 with EINVAL, as POSIX says.
 */
#include "internal.h"

#include <limits.h>
#include <proto/fs_protocol.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

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

static long processors(void)
{
    uint64_t count;
    const int error = root_machine(SLOT_ROOT, &count);

    return posix_result(error < 0 ? error : (long)count);
}

/* Options of POSIX that are there; the same value for all, that of its issue of 2001. */
static bool is_option(int name)
{
    static const short options[] = {
        _SC_FSYNC,
        _SC_JOB_CONTROL,
        _SC_MEMLOCK,
        _SC_MEMLOCK_RANGE,
        _SC_REGEXP,
        _SC_SHARED_MEMORY_OBJECTS,
        _SC_SHELL,
        _SC_SPAWN,
        _SC_TIMERS,
        _SC_MONOTONIC_CLOCK,
        _SC_CLOCK_SELECTION,
        _SC_MAPPED_FILES,
        _SC_MEMORY_PROTECTION,
        _SC_TIMEOUTS,
        _SC_SEMAPHORES,
        _SC_THREADS,
        _SC_THREAD_SAFE_FUNCTIONS,
        _SC_THREAD_ATTR_STACKADDR,
        _SC_THREAD_ATTR_STACKSIZE,
        _SC_THREAD_PROCESS_SHARED,
        _SC_BARRIERS,
        _SC_SPIN_LOCKS,
        _SC_READER_WRITER_LOCKS,
    };

    for (size_t index = 0; index < sizeof(options) / sizeof(options[0]); index++) {
        if (options[index] == name)
            return true;
    }
    return false;
}

/* Limits of threads, semaphores and names; 0: the question is not about these. */
static long limit(int name)
{
    switch (name) {
    case _SC_THREAD_KEYS_MAX:
        return PTHREAD_KEYS_MAX;
    case _SC_THREAD_DESTRUCTOR_ITERATIONS:
        return PTHREAD_DESTRUCTOR_ITERATIONS;
    case _SC_THREAD_STACK_MIN:
        return PTHREAD_STACK_MIN;
    case _SC_THREAD_THREADS_MAX:
        return PTHREAD_THREADS_MAX;
    case _SC_SEM_NSEMS_MAX:
        return SEM_NSEMS_MAX;
    case _SC_SEM_VALUE_MAX:
        return SEM_VALUE_MAX;
    case _SC_IOV_MAX:
        return IOV_MAX;
    case _SC_TTY_NAME_MAX:
    case _SC_LOGIN_NAME_MAX:
        return 32;
    case _SC_HOST_NAME_MAX:
        return HOST_NAME_MAX;
    default:
        return 0;
    }
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
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN:
        return processors();
    case _SC_CLK_TCK:
        return CLOCKS_PER_SEC;
    case _SC_ARG_MAX:
        return ROOT_STRING_BYTES_MAX;
    case _SC_OPEN_MAX:
        return FS_HANDLES;
    default:
        break;
    }
    if (is_option(name))
        return _POSIX_MONOTONIC_CLOCK;
    return limit(name) ? limit(name) : posix_result(-EINVAL);
}

int getpagesize(void)
{
    return (int)PAGE_SIZE;
}
