/* SPDX-License-Identifier: MIT */
/*
 * Pages of a space: into its translation tables and out of them. Addresses and lengths are bytes, page-aligned. The
 * space has memory and its lock is held. All of these make system calls.
 */
#ifndef MEMSRV_SPACE_PAGES_H
#define MEMSRV_SPACE_PAGES_H

#include "memory.h"
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

/* page_take() and page_give() for anonymous memory of programs, counted. */
MUST_CHECK static inline struct page *user_page_take(struct memsrv_context *worker)
{
    struct page *page = page_take(worker);
    if (__builtin_expect(page != NULL, 1))
        worker->user_pages++;
    return page;
}

/* As memgroups_take_charged(), for a space in any group. */
MUST_CHECK struct page *memgroups_take_charged(struct memsrv_context *worker, const struct space *space);

/* The same even if the group may have no more: for one page of each thread, with which root must not have to wait. */
MUST_CHECK struct page *memgroups_take_always(struct memsrv_context *worker, const struct space *space);

/* The same for a space, to whose memory group it is charged. NULL: worker->group_full says why. */
MUST_CHECK static inline struct page *space_page_take(struct memsrv_context *worker,
                                                      const struct space *space) NO_THREAD_SAFETY_ANALYSIS
{
    if (__builtin_expect(space->standing.group != 0, 0))
        return memgroups_take_charged(worker, space);
    return user_page_take(worker);
}

static inline void user_page_give(struct memsrv_context *worker, struct page *page)
{
    worker->user_pages--;
    page_give(worker, page);
}

/* Maps one page, giving the kernel the tables that it needs. `target` is the address, with MAP_ITEM_REPLACE if what is
 * there goes. EEXIST: something is there; ENOMEM; EPERM: the kernel does not allow that device. Nothing is counted. */
MUST_CHECK int space_map_entry_locked(struct space *space, uint64_t target, uint64_t entry) REQUIRES(space->lock);

/* Maps items, skipping those where something is already. Returns how many were mapped, in *error why not all: EEXIST, or
 * ENOMEM for want of a table. Nothing is counted. */
uint64_t space_map_items_locked(struct space *space, const struct map_item *items, uint64_t count, int *error)
    REQUIRES(space->lock);

/* Gives a page that nothing else maps more rights. EBUSY: something does; ENOENT: nothing is there; ENOMEM. */
MUST_CHECK int space_promote_locked(struct space *space, uint64_t address, uint64_t rights) REQUIRES(space->lock);

/* The entry at an address, 0 if there is none; see entry_at(). */
MUST_CHECK uint64_t space_entry_locked(struct space *space, uint64_t address) REQUIRES(space->lock);

/* What is looked for: translations to a page, and soft entries. */
struct wanted_entry {
    const struct page *page; /* or NULL */
    uint64_t soft;           /* entry, without ENTRY_SHARED; 0: none */
    uint64_t index;
};

/* The address at which the space has such an entry of anonymous memory; 0: it has none. In family.c. */
MUST_CHECK uint64_t family_find_entry_locked(struct space *space, const struct wanted_entry *wanted)
    REQUIRES(space->lock);

/* Locks a space of family_list() if it is one of the family's still, and has memory. */
MUST_CHECK static inline bool family_enter(struct space *space, const struct family *family)
    TRY_ACQUIRE(true, space->lock) NO_THREAD_SAFETY_ANALYSIS
{
    spinlock_acquire(&space->lock);
    if (space->pid && space->family == family && space_has_memory(space))
        return true;
    spinlock_release(&space->lock);
    return false;
}

/* The page at an address of `area`, which may be written for the program: taken, zeroed or copied, and mapped if none
 * was there. NULL: no memory, or past the end of the area's object. */
MUST_CHECK struct page *space_page_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                          uint64_t address) REQUIRES(space->lock);

/* Takes, zeroes and maps the pages that are missing in [start, end) of an area of anonymous memory, at most
 * FILL_PAGES_MAX. ENOMEM: some are still missing. */
#define FILL_PAGES_MAX 128u
MUST_CHECK int space_fill_locked(struct memsrv_context *worker, struct space *space, struct vma *area, uint64_t start,
                                 uint64_t end) REQUIRES(space->lock);

/* Maps the page of an object at an address of `area`, with what `write` needs: a copy, in a private mapping. Does
 * nothing if it is there. EFAULT: past the end of the object; ENOMEM. */
MUST_CHECK int space_map_object_page_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                            uint64_t address, bool write) REQUIRES(space->lock);

/*
 * Gives the pages of [from, from + length), in `area`, another address; nothing is mapped at [to, to + length). No answer to a fault
 * is on its way: space_wait_for_faults_locked(). ENOMEM: no tables; nothing has moved.
 */
MUST_CHECK int space_move_pages_locked(struct space *space, const struct vma *area, uint64_t from, uint64_t to,
                                       uint64_t length) REQUIRES(space->lock);

/* Writes a 1 for each page of [start, end), at most RESIDENCY_PAGES_MAX, that has a translation, to present[]; PAGE_SWAPPED
 * where a soft entry is. */
#define RESIDENCY_PAGES_MAX 3584u
#define PAGE_SWAPPED        2
void space_find_pages_locked(struct space *space, uint64_t start, uint64_t end, uint8_t *present) REQUIRES(space->lock);

/* Unmaps [start, end) and gives the pages back. Whatever areas say; device registers are only unmapped. */
void space_release_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
    REQUIRES(space->lock);

/* Unmaps [start, end), all of which is mapped elsewhere, too; nothing is given back or counted. Returns how many pages
 * went. Makes system calls. */
uint64_t space_forget_locked(struct space *space, uint64_t start, uint64_t end) REQUIRES(space->lock);

/* Unmaps in [start, end) what belongs to memory objects, and leaves what is the space's own. */
void space_release_object_pages_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
    REQUIRES(space->lock);

/* Gives all present pages of [start, end) the rights in `access`: VMA_ACCESS, with PROTECT_IF_LAST where pages may be
 * some other space's, too. space_ready_to_change_locked() has been called, if the range can be longer than a page. */
void space_protect_locked(struct space *space, uint64_t start, uint64_t end, uint64_t access) REQUIRES(space->lock);

/*
 * Waits until no worker is about to map a page for a fault that it looked at before the areas were changed. Needed
 * between a change of areas and the calls above when the space has more than one thread; with one thread it returns at
 * once, because a thread that faults asks for nothing else.
 */
void space_wait_for_faults_locked(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock);

/* The same when it is not the space itself that asks. */
void space_wait_for_answers_locked(struct memsrv_context *worker, struct space *space) REQUIRES(space->lock);

/* True if `other`, which is not the calling worker, neither answers a fault of the space nor puts its figures right. */
MUST_CHECK bool worker_is_done_with(const struct memsrv_context *other, const struct space *space);

#endif
