/* SPDX-License-Identifier: MIT */
/* Overcommit policies: see mm/commit.h. */
#include <mm/commit.h>

/* Reserves: 8 MiB for an administrator, 128 MiB for other users' programs, but no more than 3 % of memory. */
#define ADMIN_RESERVE_PAGES  (8UL << (20 - PAGE_SHIFT))
#define USER_RESERVE_PAGES   (128UL << (20 - PAGE_SHIFT))
#define RESERVE_FRACTION     32u
#define OWN_RESERVE_FRACTION 32u

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void commit_policy_init(struct commit_policy *policy, uint64_t memory_pages)
{
    *policy = (struct commit_policy){
        .policy = OVERCOMMIT_GUESS,
        .ratio = COMMIT_RATIO_DEFAULT,
        .memory_pages = memory_pages,
        .admin_reserve = smaller(ADMIN_RESERVE_PAGES, memory_pages / RESERVE_FRACTION),
        .user_reserve = smaller(USER_RESERVE_PAGES, memory_pages / RESERVE_FRACTION),
    };
}

uint64_t commit_limit(const struct commit_policy *policy)
{
    return policy->memory_pages / 100 * policy->ratio + policy->memory_pages % 100 * policy->ratio / 100 +
           policy->swap_pages;
}

bool commit_allowed(const struct commit_policy *policy, uint64_t committed, uint64_t own, uint64_t more,
                    bool privileged)
{
    uint64_t total;

    if (policy->policy == OVERCOMMIT_ALWAYS)
        return true;
    if (policy->policy == OVERCOMMIT_GUESS)
        return more <= policy->memory_pages + policy->swap_pages;
    uint64_t limit = commit_limit(policy);
    if (!privileged)
        limit -= smaller(limit, policy->admin_reserve);
    limit -= smaller(limit, smaller(own / OWN_RESERVE_FRACTION, policy->user_reserve));
    return !__builtin_add_overflow(committed, more, &total) && total <= limit;
}
