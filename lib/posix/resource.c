/* SPDX-License-Identifier: MIT */
/*
 * Limits: those of memory are memsrv's.
 */
#include "internal.h"

#include <proto/memsrv_client.h>
#include <sys/resource.h>

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
