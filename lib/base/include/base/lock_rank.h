/* SPDX-License-Identifier: MIT */
/*
 * The order of all spinlocks: who holds one may take only what comes further down. What each guards, and who takes it
 * while holding what, is in docs/locking.md.
 */
#ifndef BASE_LOCK_RANK_H
#define BASE_LOCK_RANK_H

enum lock_rank {
    LOCK_UNRANKED, /* never initialised: cannot be taken where the order is checked */

    /* memsrv */
    LOCK_SPACE_TABLE,
    LOCK_NEW_SPACE, /* a space's, while nobody can know the space: its parent's is taken next */
    LOCK_SPACE,
    LOCK_OBJECT_REGISTRY,
    LOCK_OBJECT,
    LOCK_FAMILY,
    LOCK_SWAP,
    LOCK_PARKING,
    LOCK_TRANSIT,
    LOCK_KERNEL_OBJECTS,

    /* lib/mm */
    LOCK_VMALLOC,
    LOCK_PERCPU,
    LOCK_CACHE,
    LOCK_MEMPOOL,

    /* memsrv, below what allocates */
    LOCK_DRAIN,
    LOCK_LAYOUT,
    LOCK_PAGER, /* taken wherever the pager is told something */

    LOCK_MEMGROUPS, /* taken wherever pages of programs come and go */

    LOCK_ZONE,

    LOCK_LEAF, /* of a program: nothing else is taken while it is held */
    LOCK_RANK_COUNT,
};

#endif
