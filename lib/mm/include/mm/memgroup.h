/* SPDX-License-Identifier: MIT */
/*
 * Groups of processes with a limit of memory, one in another. Every page that a group's process is the first to use is
 * charged to the group and to all that it is in; a charge that would take one of them above its limit is refused, and
 * names the group whose pages are to be reclaimed first. Groups are in an array, by number; group 0 is the root, has all
 * others in it and no limit.
 *
 * Counts and limits are pages. In every call: the lock of whoever owns the groups is held; nothing is allocated; a failure
 * changes nothing.
 */
#ifndef MM_MEMGROUP_H
#define MM_MEMGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include <base/check.h>

#define MEMGROUP_ROOT     0u
#define MEMGROUP_NONE     UINT32_MAX
#define MEMGROUP_NO_LIMIT UINT64_MAX
#define MEMGROUP_DEPTH    8u /* groups in one another, the root included */

enum memgroup_kind { MEMGROUP_ANON, MEMGROUP_FILE, MEMGROUP_SWAP, MEMGROUP_KINDS };

struct memgroup {
    uint32_t parent; /* MEMGROUP_NONE: the root, or the record is free */
    uint32_t children;
    uint32_t depth;               /* 0: the root */
    uint32_t used;                /* 1: there is such a group */
    uint64_t limit;               /* of memory: anonymous and file pages */
    uint64_t swap_limit;          /* of slots */
    uint64_t own[MEMGROUP_KINDS]; /* charged to this group itself */
    uint64_t memory;              /* of it and all in it */
    uint64_t swap;
    uint64_t most;     /* that `memory` ever was */
    uint64_t refusals; /* charges that this group's limit refused */
    uint64_t kills;    /* processes that were ended on its account */
};

struct memgroups {
    struct memgroup *groups;
    uint32_t count;
};

/* Makes the root in `count` records of any content, which stay the caller's. EINVAL: none. */
MUST_CHECK int memgroup_init(struct memgroups *groups, struct memgroup *records, uint32_t count);

/* Makes a group in `parent`, without limits. Returns its number. EINVAL: no such parent, or it lies too deep; ENOSPC: no
 * record is free. */
MUST_CHECK int64_t memgroup_create(struct memgroups *groups, uint32_t parent);

/* Ends a group. What is charged to it is charged to its parent from now on, and the caller moves the pages there. EINVAL:
 * no such group, or the root; EBUSY: groups are in it. */
MUST_CHECK int memgroup_destroy(struct memgroups *groups, uint32_t group);

/* Sets a group's limits. It may have more than that now: memgroup_excess() says what is to be reclaimed. EINVAL: no such
 * group, or the root. */
MUST_CHECK int memgroup_limit(struct memgroups *groups, uint32_t group, uint64_t memory, uint64_t swap);

/* Charges `pages` to a group and all that it is in. EINVAL: no such group; ENOMEM: *over is the innermost group whose limit
 * does not allow it. `over` may be NULL. */
MUST_CHECK int memgroup_charge(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages,
                               uint32_t *over);

/* Charges without asking, for who must not fail: limits may be passed. */
void memgroup_charge_always(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages);

/* Takes back what was charged. */
void memgroup_uncharge(struct memgroups *groups, uint32_t group, enum memgroup_kind kind, uint64_t pages);

/* Pages of memory that a group has above its limit. */
uint64_t memgroup_excess(const struct memgroups *groups, uint32_t group);

/* True if `group` is `outer` or in it. */
bool memgroup_is_in(const struct memgroups *groups, uint32_t group, uint32_t outer);

/*
 * The group to reclaim from next on behalf of `outer`: each group in it that has pages of its own that can go, itself
 * included, in turn, beginning behind `last` (MEMGROUP_NONE: at the start). MEMGROUP_NONE: there is none. With `can_swap`
 * anonymous pages can go, too.
 */
uint32_t memgroup_next(const struct memgroups *groups, uint32_t outer, uint32_t last, bool can_swap);

/* Of `wanted` pages to be reclaimed on behalf of `outer`, those that are the group's part: in proportion to what it has,
 * rounded up. */
uint64_t memgroup_share(const struct memgroups *groups, uint32_t outer, uint32_t group, uint64_t wanted);

/* 0, or EIO (negative) if sums, parents or depths are wrong. */
MUST_CHECK int memgroup_check(const struct memgroups *groups);

#endif
