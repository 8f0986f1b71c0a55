/* SPDX-License-Identifier: MIT */
/*
 * Limits: what a space may have, and how much memory may be promised to all of them. The arithmetic is in lib/mm.
 * Locks: a space's lock for its own figures; the machine's figures are atomic.
 */
#ifndef MEMSRV_LIMITS_H
#define MEMSRV_LIMITS_H

#include <errno.h>

#include <mm/commit.h>

#include "space.h"

/* How memory is promised. Set at start and by limits_set_policy(); a reader may see an old policy for a moment. */
extern struct commit_policy commit_policy;

/* Pages that are promised in all: for the functions here. */
extern uint64_t committed_pages;

/* Before there is a second thread: `pages` is what programs can have. */
void limits_init(uint64_t pages);

/* EINVAL: no such policy, or the ratio is above COMMIT_RATIO_MAX. */
MUST_CHECK int limits_set_policy(uint64_t policy, uint64_t ratio);

/* Pages that are promised. */
uint64_t limits_committed(void);

/* True if areas with these flags count as data of their program. */
static inline bool area_is_data(uint64_t flags)
{
    return (flags & (VMA_WRITE | VMA_SHARED | VMA_DEVICE | VMA_GROWS_DOWN | VMA_STACK)) == VMA_WRITE;
}

/*
 * May the space have `pages` more in an area with `flags`, in place of `replaced` that it has now? ENOMEM: the limit of
 * the address space or of data; EAGAIN: that of locked memory.
 */
MUST_CHECK static inline int limits_admit_locked(const struct space *space, uint64_t flags, uint64_t pages,
                                                 uint64_t replaced) REQUIRES(space->lock)
{
    uint64_t used = space->areas.bytes - (replaced << PAGE_SHIFT), more = pages << PAGE_SHIFT;

    if (!resource_allows(&space->limits, RESOURCE_ADDRESS_SPACE, used, more))
        return -ENOMEM;
    if (area_is_data(flags) && !resource_allows(&space->limits, RESOURCE_DATA, space->data_pages << PAGE_SHIFT, more))
        return -ENOMEM;
    if ((flags & VMA_LOCKED) &&
        !resource_allows(&space->limits, RESOURCE_LOCKED_MEMORY, space->locked_pages << PAGE_SHIFT, more))
        return -EAGAIN;
    return 0;
}

/* 0 if the space may lock `pages` more besides what it has locked; EPERM: none at all; otherwise `error`. */
MUST_CHECK int limits_admit_locking_locked(const struct space *space, uint64_t pages, int error) REQUIRES(space->lock);

/* limits_charge_locked() with any policy. */
MUST_CHECK int limits_charge_by_policy(const struct space *space, uint64_t pages);

/* Promises pages to the space. ENOMEM: the policy does not allow it. The caller counts them in an area with
 * VMA_CHARGED, or gives them back. */
MUST_CHECK static inline int limits_charge_locked(const struct space *space, uint64_t pages) REQUIRES(space->lock)
{
    if (__builtin_expect(commit_policy.policy != OVERCOMMIT_GUESS || pages > commit_policy.memory_pages, 0))
        return limits_charge_by_policy(space, pages);
    __atomic_fetch_add(&committed_pages, pages, __ATOMIC_RELAXED);
    return 0;
}

/* Promises pages to nobody in particular. ENOMEM. */
MUST_CHECK int limits_charge(uint64_t pages);

/* Takes a promise back. */
static inline void limits_uncharge(uint64_t pages)
{
    __atomic_fetch_sub(&committed_pages, pages, __ATOMIC_RELAXED);
}

/* If an area with *flags is a promise: makes it, and sets VMA_CHARGED. ENOMEM. */
MUST_CHECK static inline int limits_charge_area_locked(const struct space *space, uint64_t *flags, uint64_t pages)
    REQUIRES(space->lock)
{
    if (!commit_is_promise(&commit_policy, *flags))
        return 0;
    int error = limits_charge_locked(space, pages);
    if (!error)
        *flags |= VMA_CHARGED;
    return error;
}

#endif
