/* SPDX-License-Identifier: MIT */
/* What aspace.c (single entries) offers to space_ranges.c (batches). Lock: the kernel lock. */
#ifndef KERNEL_SPACE_TABLES_H
#define KERNEL_SPACE_TABLES_H

#include "kernel.h"

/* The deepest entry for `address` (below USER_VA_END) and its level. */
uint64_t *space_entry(const struct aspace *aspace, uint64_t address, unsigned *level);

/* Empties a leaf that is in use. The TLB is the caller's business. */
void space_drop_leaf(struct aspace *aspace, uint64_t *entry, unsigned level);

/* Takes away the mappings that the old value of a leaf of `level` stood for. */
void space_forget_frame(uint64_t old, unsigned level);

/* Moves the tables for `address` that have no entry left to the spare ones. */
void space_prune(struct aspace *aspace, uint64_t address);

/* True if all of the range is the user's, and not in the window of a space that shows it. */
bool space_range_ok(const struct aspace *aspace, uint64_t address, uint64_t bytes);

/* The address space in argument 1 of a call whose argument 0 is the authority over physical memory. */
struct aspace *space_argument(const struct thread *caller, long *error);

#endif
