/* SPDX-License-Identifier: MIT */
/*
 * Families: a space and all that were forked from it, or from those. The anonymous pages of a family may be mapped in
 * each of its spaces, so a family is where the way back from a page to its translations begins: `owner` of a page is
 * its family, `index` the page of the area's offset (struct vma) that it is at, in every space that has it. Only an area
 * that was moved is at another address than its offset says.
 *
 * Lock order: space -> family. The list of spaces is the family's lock's.
 */
#ifndef MEMSRV_FAMILY_H
#define MEMSRV_FAMILY_H

#include <base/list.h>
#include <base/lock.h>

#include "worker.h"

struct space;
struct page;

struct family {
    struct spinlock lock;
    struct list spaces GUARDED_BY(lock); /* struct space, family_link */
    uint32_t uses GUARDED_BY(lock);      /* spaces, and code that looks at the family; 0: it is free */
    uint64_t joins GUARDED_BY(lock);     /* spaces that have come so far */
    bool swapped;                        /* atomic: pages of it have gone to swap, at some time */
    struct family *next_free;            /* while it is free */
};

/* Before there is a second thread. */
void families_init(void);

/* Makes a family of `space`, which has none. ENOMEM. */
MUST_CHECK int family_create(struct space *space);

/* Makes `child` one of the family of `parent`. Locks: parent's, or it is not seen by anybody else. */
void family_join(const struct space *parent, struct space *child);

/* Takes the space out of its family, which ends with its last. Nothing of the family's is mapped in the space. */
void family_leave(struct space *space);

/* Adds a use, for who has the lock of one of its spaces; ends it. */
void family_hold(struct family *family);
void family_put(struct family *family);

/* The family that a page of anonymous memory belongs to now, with a use more; NULL: the page is something else. It may
 * become something else at once: what is done with the family is to find out. */
struct family *family_get(const struct page *page);

/* Its number, for the pager. */
uint64_t family_number(const struct family *family);

/* True if the space, which is locked, is the only one of its family: it stays so until it is forked. */
MUST_CHECK bool family_is_alone(const struct space *space);

/* The spaces of the family as they are now, at most SPACES_MAX. Returns how many; *joins: spaces that have come so far: who
 * has visited all of them, and finds that this is so still, has missed nobody. */
uint32_t family_list(struct family *family, struct space *found[], uint64_t *joins);

/* Where a page is mapped. */
struct mapping {
    uint64_t pid, address;
};

/*
 * Finds the translations that point to a page of anonymous memory (the reverse mapping), at most `capacity`. They may
 * come and go meanwhile, so what is found is where to look. The caller has a use of the family; no space's lock is held.
 * Makes system calls.
 */
uint32_t family_find_mappings(struct family *family, const struct page *page, struct mapping *mappings,
                              uint32_t capacity);

#endif
