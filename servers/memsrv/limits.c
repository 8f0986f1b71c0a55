/* SPDX-License-Identifier: MIT */
/* Limits of spaces, promises of memory, and the requests about both. */
#include <proto/memsrv_dispatch.h>

#include "areas.h"
#include "limits.h"

_Static_assert(MEMSRV_RESOURCE_DATA == RESOURCE_DATA && MEMSRV_RESOURCE_STACK == RESOURCE_STACK &&
                   MEMSRV_RESOURCE_LOCKED_MEMORY == RESOURCE_LOCKED_MEMORY &&
                   MEMSRV_RESOURCE_ADDRESS_SPACE == RESOURCE_ADDRESS_SPACE,
               "passed on as they are");

struct commit_policy commit_policy;

uint64_t committed_pages;

void limits_init(uint64_t pages)
{
    commit_policy_init(&commit_policy, pages);
}

int limits_set_policy(uint64_t policy, uint64_t ratio)
{
    if (policy >= OVERCOMMIT_COUNT || ratio > COMMIT_RATIO_MAX)
        return -EINVAL;
    __atomic_store_n(&commit_policy.ratio, ratio, __ATOMIC_RELAXED);
    __atomic_store_n(&commit_policy.policy, (enum overcommit_policy)policy, __ATOMIC_RELAXED);
    return 0;
}

uint64_t limits_committed(void)
{
    return __atomic_load_n(&committed_pages, __ATOMIC_RELAXED);
}

int limits_admit_locking_locked(const struct space *space, uint64_t pages, int error)
{
    if (space->limits.limits[RESOURCE_LOCKED_MEMORY].soft == 0)
        return -EPERM;
    uint64_t used = space->locked_pages << PAGE_SHIFT;
    return resource_allows(&space->limits, RESOURCE_LOCKED_MEMORY, used, pages << PAGE_SHIFT) ? 0 : error;
}

static int charge(uint64_t own, uint64_t pages, bool privileged)
{
    uint64_t before = __atomic_fetch_add(&committed_pages, pages, __ATOMIC_RELAXED);
    if (commit_allowed(&commit_policy, before, own, pages, privileged))
        return 0;
    limits_uncharge(pages);
    return -ENOMEM;
}

int limits_charge_by_policy(const struct space *space, uint64_t pages) NO_THREAD_SAFETY_ANALYSIS
{
    return charge(space->charged_pages, pages, false);
}

int limits_charge(uint64_t pages)
{
    return charge(0, pages, false);
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

int memsrv_handle_limit_get(struct memsrv_context *context, const struct message *request, uint64_t resource,
                            uint64_t *soft, uint64_t *hard)
{
    uint64_t pid = request->badge & ~BADGE_RIGHTS;
    struct space *space = space_find(pid);
    if (!resource_is_known(resource))
        return -EINVAL;
    if (!space_enter(space, pid))
        return -ESRCH;
    *soft = space->limits.limits[resource].soft;
    *hard = space->limits.limits[resource].hard;
    space_leave(space);
    return 0;
}

static int set_limit(uint64_t pid, uint64_t resource, struct resource_limit limit, bool privileged)
{
    struct space *space = space_find(pid);
    if (!space_enter(space, pid))
        return -ESRCH;
    int error = resource_set(&space->limits, resource, limit, privileged);
    space_leave(space);
    return error;
}

int memsrv_handle_limit_set(struct memsrv_context *context, const struct message *request, uint64_t resource,
                            uint64_t soft, uint64_t hard)
{
    return set_limit(request->badge & ~BADGE_RIGHTS, resource, (struct resource_limit){soft, hard},
                     request->badge & BADGE_PRIVILEGED);
}

int memsrv_handle_space_limit_set(struct memsrv_context *context, const struct message *request, uint64_t pid,
                                  uint64_t resource, uint64_t soft, uint64_t hard)
{
    return set_limit(pid, resource, (struct resource_limit){soft, hard}, true);
}

int memsrv_handle_overcommit_info(struct memsrv_context *context, const struct message *request, uint64_t *policy,
                                  uint64_t *ratio, uint64_t *limit, uint64_t *committed)
{
    *policy = commit_policy.policy;
    *ratio = commit_policy.ratio;
    *limit = commit_limit(&commit_policy);
    *committed = limits_committed();
    return 0;
}

int memsrv_handle_overcommit_set(struct memsrv_context *context, const struct message *request, uint64_t policy,
                                 uint64_t ratio)
{
    return limits_set_policy(policy, ratio);
}
