/* SPDX-License-Identifier: MIT */
/*
 * Limits: those of memory are memsrv's.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <sys/resource.h>
#include <time.h>

_Static_assert(RLIMIT_DATA == MEMSRV_RESOURCE_DATA && RLIMIT_STACK == MEMSRV_RESOURCE_STACK &&
                   RLIMIT_MEMLOCK == MEMSRV_RESOURCE_LOCKED_MEMORY && RLIMIT_AS == MEMSRV_RESOURCE_ADDRESS_SPACE,
               "resources are passed on as they are");

int getrlimit(int resource, struct rlimit *limit)
{
    uint64_t soft, hard;
    const int error = memsrv_limit_get(SLOT_MEMSRV, (uint64_t)resource, &soft, &hard);
    if (error == 0)
        *limit = (struct rlimit){soft, hard};
    return (int)posix_result(error);
}

int setrlimit(int resource, const struct rlimit *limit)
{
    return (int)posix_result(memsrv_limit_set(SLOT_MEMSRV, (uint64_t)resource, limit->rlim_cur, limit->rlim_max));
}

/* As with times(): the time used is all that has passed. */
int getrusage(int who, struct rusage *usage)
{
    struct timespec now = {0};

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN)
        return (int)posix_result(-EINVAL);
    if (who == RUSAGE_SELF && clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return -1;
    *usage = (struct rusage){.ru_utime = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000}};
    return 0;
}
