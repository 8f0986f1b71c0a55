/* SPDX-License-Identifier: MIT */
/*
 * The translation tables of an address space, made of donated frames. A table that gets its last entry taken away
 * returns to the space's spare tables; a walk that needs a table takes one from there.
 *
 * A last-level table may be used by several spaces, at the same address, which copies of a space begin with. The entry
 * that points to it says so (PTE_TABLE_SHARED), and while it does the machine allows no write below. Nothing in such a
 * table is changed but for the notes of accesses: who wants to change something makes a table of its own first.
 *
 * Lock: the kernel lock, everywhere.
 */
#ifndef KERNEL_SPACE_TABLES_H
#define KERNEL_SPACE_TABLES_H

#include "kernel.h"

#define ENTRIES     512u /* of a table */
#define LEAF_NONE   UINT64_MAX
#define HUGE_FRAMES (1UL << HUGE_PAGE_ORDER)

/* The frame that a table of the kernel's, or an entry of it, lies in: its pfn, its place in the frame table. */
static inline uint64_t space_table_pfn(const void *direct)
{
    return direct_map_to_physical(direct) >> PAGE_SHIFT;
}

static inline struct frame *space_frame(const uint64_t *table)
{
    return frame_known(&frames, space_table_pfn(table));
}

/* The table that was used last is not what it was. */
static inline void space_forget_leaf(struct aspace *aspace)
{
    aspace->leaf_number = LEAF_NONE;
}

/* Donates a frame as a spare table. Errors of frame_take_table(). */
MUST_CHECK long space_give_spare(struct aspace *aspace, uint64_t pfn);

/* Takes a spare table, all zero; NULL: there is none. */
uint64_t *space_take_spare(struct aspace *aspace);

/* The deepest entry for `address` (below USER_VA_END), its level, and whether it lies in a shared table. */
uint64_t *space_find(struct aspace *aspace, uint64_t address, unsigned *level, bool *shared);

/* The same for who knows that it does not matter, or that it is not. */
static inline uint64_t *space_entry(struct aspace *aspace, uint64_t address, unsigned *level)
{
    bool shared;
    return space_find(aspace, address, level, &shared);
}

/*
 * The entry for `address` at `level`, to be changed: tables are added, shared ones become the space's own, and where a
 * huge page is in the way and `split` is set it becomes a table of pages. NULL with *error: ENOMEM, not enough spare
 * tables, some of which may have been used (see space_prune()); EEXIST, a huge page; or space_privatize()'s.
 */
uint64_t *space_entry_for_map(struct aspace *aspace, uint64_t address, unsigned level, bool split, long *error);

/* Makes the last-level table for `address` the space's own, if there is one. ENOMEM: no spare table; ENOSPC: a frame
 * has too many mappings. Nothing has changed then. */
MUST_CHECK long space_privatize(struct aspace *aspace, uint64_t address);

/* True if the table for `address`, marked as shared, has no other user any more; it is then marked so no longer. */
bool space_is_last_sharer(struct aspace *aspace, uint64_t address);

/* Makes the huge page at `address` a table of pages. `entry` is its entry. ENOMEM: no spare table. */
MUST_CHECK long space_split(struct aspace *aspace, uint64_t *entry, uint64_t address);

/* True if one of the frames of a huge page, of which this is the first, is mapped more than once. */
bool space_huge_shared(const struct frame *first);

/* True if something besides this leaf maps its frame, or (a huge page) one of its frames. */
static inline bool space_leaf_shared(uint64_t pte, unsigned level)
{
    if (!pte_is_present(pte) || (pte & PTE_DEVICE))
        return false;
    const struct frame *first = frame_known(&frames, (pte & PTE_ADDRESS) >> PAGE_SHIFT);
    return __builtin_expect(level == LEAF_LEVEL, 1) ? first->references > 1 : space_huge_shared(first);
}

/* True if one of a huge page's frames is mapped by nothing but this leaf. */
bool space_leaf_last(uint64_t pte);

/* The entry that points to the shared table for `address`, or NULL; true if others use that table now. */
uint64_t *space_shared_entry(const struct aspace *aspace, uint64_t address);
static inline bool space_table_in_common(uint64_t entry)
{
    return space_frame(direct_map(entry & PTE_ADDRESS))->sharers != 0;
}

/* Empties a leaf that is in use. The TLB is the caller's business. */
void space_drop_leaf(uint64_t *entry, unsigned level);

/* Takes away the mappings that the old value of a leaf of `level` stood for. */
void space_forget_frame(uint64_t old, unsigned level);

/* Moves the tables for `address` that have no entry left to the spare ones. */
void space_prune(struct aspace *aspace, uint64_t address);

/* Lets go of a shared table that others use, too; `entry` points to it. Returns its entries in use. The TLB is the
 * caller's business. */
uint64_t space_unlink(struct aspace *aspace, uint64_t *entry);

/* True if all of the range is the user's, and not in the window of a space that shows it. */
static inline bool space_range_ok(const struct aspace *aspace, uint64_t address, uint64_t bytes)
{
    if (address >= USER_VA_END || bytes > USER_VA_END - address)
        return false;
    return !aspace->window || address + bytes <= WINDOW_BASE || address >= WINDOW_BASE + WINDOW_SIZE;
}

/* The address space in argument 1 of a call whose argument 0 is the authority over physical memory. */
struct aspace *space_argument(const struct thread *caller, long *error);

#endif
