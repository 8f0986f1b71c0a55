/* SPDX-License-Identifier: MIT */
/*
 * Pages of a space: into its translation tables and out of them. Addresses and lengths are bytes, page-aligned. The
 * space has memory and its lock is held. All of these make system calls.
 */
#ifndef MEMSRV_SPACE_PAGES_H
#define MEMSRV_SPACE_PAGES_H

#include "space.h"

/* Entry rights are the same bits as the protection of areas and of requests. */
_Static_assert(ENTRY_READ == VMA_READ && ENTRY_WRITE == VMA_WRITE && ENTRY_EXECUTE == VMA_EXECUTE, "used as one");
_Static_assert(MEMSRV_PROTECT_READ == VMA_READ && MEMSRV_PROTECT_WRITE == VMA_WRITE &&
                   MEMSRV_PROTECT_EXECUTE == VMA_EXECUTE,
               "used as one");
_Static_assert(FAULT_READ == VMA_READ && FAULT_WRITE == VMA_WRITE && FAULT_EXECUTE == VMA_EXECUTE, "used as one");
_Static_assert(ENTRY_WRITE << 4 == ENTRY_DIRTY, "entry_flags() shifts");

/* What the entry of a page of anonymous memory in an area with `flags` says: a writable page counts as written. */
static inline uint64_t entry_flags(uint64_t flags)
{
    return (flags & VMA_ACCESS) | (flags & VMA_WRITE) << 4 | ENTRY_ACCESSED;
}

/* Maps one page, giving the kernel the tables that it needs. EEXIST: something is there; ENOMEM; EPERM: the kernel does
 * not allow that device. Nothing is counted. */
MUST_CHECK int space_map_entry_locked(struct space *space, uint64_t address, uint64_t entry) REQUIRES(space->lock);

/* The entry at an address, 0 if there is none. */
MUST_CHECK uint64_t space_entry_locked(struct space *space, uint64_t address) REQUIRES(space->lock);

/* The page at an address of `area`, taken, zeroed and mapped if none was there. NULL: no memory. */
MUST_CHECK struct page *space_page_locked(struct memsrv_context *worker, struct space *space, const struct vma *area,
                                          uint64_t address) REQUIRES(space->lock);

/* Unmaps [start, end) and gives the pages back. Whatever areas say; device registers are only unmapped. */
void space_release_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
    REQUIRES(space->lock);

/* Gives all present pages of [start, end) the rights in `access` (VMA_ACCESS). */
void space_protect_locked(struct space *space, uint64_t start, uint64_t end, uint64_t access) REQUIRES(space->lock);

/*
 * Waits until no worker is about to map a page for a fault that it looked at before the areas were changed. Needed
 * between a change of areas and the calls above when the space has more than one thread; with one thread it returns at
 * once, because a thread that faults asks for nothing else.
 */
void space_wait_for_faults_locked(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock);

/* True if `other`, which is not the calling worker, neither answers a fault of the space nor puts its figures right. */
MUST_CHECK bool worker_is_done_with(const struct memsrv_context *other, const struct space *space);

/* Takes tables back that the kernel has to spare, all but `keep`. */
void space_trim_tables_locked(struct space *space, uint64_t keep) REQUIRES(space->lock);

#endif
