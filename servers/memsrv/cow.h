/* SPDX-License-Identifier: MIT */
/*
 * Copy-on-write of anonymous memory: what becomes of a page that is there when its address is touched. The kernel knows
 * whether anything else maps a page, and makes the decisions below true at the moment that it applies them: it promotes
 * no page that something else maps, and replaces none that can be written by now or that nothing else maps.
 */
#ifndef MEMSRV_COW_H
#define MEMSRV_COW_H

#include "space.h"

/* The page of zeros that read faults map. Something of memsrv's maps it, too, so that it is never anybody's alone. */
extern struct page *zero_page;

/* Before there is a second thread. */
void cow_init(void);

/* Flags of the item that puts a copy in the place of its source. */
#define COW_REPLACE (MAP_ITEM_MAP | MAP_ITEM_REPLACE | MAP_ITEM_IF_READ_ONLY | MAP_ITEM_IF_SHARED)

enum cow_decision {
    COW_NOTHING, /* the access is allowed by now */
    COW_RIGHTS,  /* the page gets the rights of cow_rights() */
    COW_PROMOTE, /* the page is this space's alone: it gets the area's rights */
    COW_COPY,    /* a copy of *source takes its place */
};

/* Decides for `access` (VMA_ACCESS, allowed by the area) to anonymous memory where `entry` is, as entry_at() has it for
 * the page, and no soft entry; 0: nothing is mapped any more. Of a huge page that others have, too, a single page is copied:
 * the kernel splits the entry then. A page in the swap cache leaves it if nobody else can want it. */
enum cow_decision cow_decide_locked(struct memsrv_context *worker, struct space *space, const struct vma *area,
                                    uint64_t entry, uint64_t access, struct page **source) REQUIRES(space->lock);

/* What space_protect_locked() gives to pages of the area. */
static inline uint64_t cow_rights(const struct vma *area)
{
    return (area->flags & VMA_ACCESS) | PROTECT_IF_LAST;
}

/* COW_RIGHTS, for the page or huge page at `address` whose entry is `entry`: all of a huge page lies in areas with the
 * same rights, or it would have been split. */
void cow_give_rights_locked(struct space *space, const struct vma *area, uint64_t address, uint64_t entry)
    REQUIRES(space->lock);

/* Fills `page`, which nobody else sees, with what `source` holds. */
void cow_copy(const struct page *page, const struct page *source, const struct vma *area);

/*
 * Makes the page at `address` of an area of anonymous memory one that the program may write without a fault, if
 * something is mapped there (`entry`, see entry_at()). Not for an address that a fault's answer may be on its way to, but for those of
 * the calling worker. ENOMEM. Makes system calls.
 */
MUST_CHECK int cow_break_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t address,
                                uint64_t entry) REQUIRES(space->lock);

#endif
