/* SPDX-License-Identifier: MIT */
/* Copying an address space. */
#ifndef MEMSRV_FORK_H
#define MEMSRV_FORK_H

#include "space.h"

/*
 * Fills `child`, which is fresh and has no family, with what it inherits of `parent`: areas, limits, grants and pages,
 * but no locks, IPC buffers, device registers, and nothing of areas with VMA_DONT_FORK; areas with VMA_WIPE_ON_FORK are
 * empty in it. ENOMEM: what is there already is to be taken away as from any space. Makes system calls.
 */
MUST_CHECK int fork_copy_locked(struct memsrv_context *worker, struct space *parent, struct space *child)
    REQUIRES(parent->lock, child->lock);

/*
 * Gives the child a copy of the page of anonymous memory at `address`, which is page-aligned and otherwise of any value, and
 * the parent the right to go on writing to its own: if that cannot be, or not now, nothing is done. Makes system calls.
 */
void fork_part_with_page_locked(struct memsrv_context *worker, struct space *parent, struct space *child,
                                uint64_t address) REQUIRES(parent->lock, child->lock);

#endif
