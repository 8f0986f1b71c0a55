/* SPDX-License-Identifier: MIT */
/*
 * How much memory may be promised: the three overcommit policies, and which areas are promises. Pure arithmetic in
 * pages; whoever counts the promises makes the change atomic.
 */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>
#include <mm/vma.h>

enum overcommit_policy {
    OVERCOMMIT_GUESS = 0,  /* refuse only what can never be kept */
    OVERCOMMIT_ALWAYS = 1, /* refuse nothing */
    OVERCOMMIT_NEVER = 2,  /* promise no more than commit_limit() */
    OVERCOMMIT_COUNT
};

#define COMMIT_RATIO_DEFAULT 50u /* percent of memory that OVERCOMMIT_NEVER promises */
#define COMMIT_RATIO_MAX     1000u

struct commit_policy {
    enum overcommit_policy policy;
    uint64_t ratio;        /* percent */
    uint64_t memory_pages; /* that programs can have in all */
    uint64_t swap_pages;
    uint64_t admin_reserve; /* OVERCOMMIT_NEVER: kept from the unprivileged */
    uint64_t user_reserve;  /* OVERCOMMIT_NEVER: kept from one large program, so that others can be started */
};

/* The policy of a machine with that much memory: OVERCOMMIT_GUESS, ratio COMMIT_RATIO_DEFAULT, usual reserves. */
void commit_policy_init(struct commit_policy *policy, uint64_t memory_pages);

/* Pages that OVERCOMMIT_NEVER promises at most. */
uint64_t commit_limit(const struct commit_policy *policy);

/*
 * May `more` pages be promised to a program that has been promised `own`, when `committed` are promised in all, none of
 * the three including what is asked for? `privileged`: the reserve for administrators may be used.
 */
bool commit_allowed(const struct commit_policy *policy, uint64_t committed, uint64_t own, uint64_t more,
                    bool privileged);

/* True if an area with these VMA_* flags is a promise of memory: private, writable, and not excused by
 * VMA_NO_RESERVE, which OVERCOMMIT_NEVER does not accept. */
static inline bool commit_is_promise(const struct commit_policy *policy, uint64_t vma_flags)
{
    if ((vma_flags & (VMA_WRITE | VMA_SHARED | VMA_DEVICE)) != VMA_WRITE)
        return false;
    return !(vma_flags & VMA_NO_RESERVE) || policy->policy == OVERCOMMIT_NEVER;
}

#endif
