/* SPDX-License-Identifier: MIT */
/*
 * Areas of a space: what the programs' requests to map, unmap and protect do. The space's lock is held and the space
 * has memory. Addresses and lengths are bytes and may be anything: they are checked here. All plan first and change
 * nothing on an error. Those that may unmap or protect pages make system calls.
 */
#ifndef MEMSRV_MAP_H
#define MEMSRV_MAP_H

#include "space.h"

struct area_request {
    uint64_t address; /* exact: of the first byte; otherwise a hint, or 0 */
    uint64_t length;  /* rounded up to whole pages */
    uint64_t flags;   /* VMA_*, AREA_* */
    uint64_t offset;  /* of the first byte in the object; VMA_DEVICE: its physical address */
    void *object;     /* NULL: anonymous memory */
    bool exact;
    bool privileged; /* on behalf of the system: limits of the space do not count */
};

/* 0 if the protection of a request may be given: EINVAL: unknown bits; EACCES: writing and executing together. */
MUST_CHECK int protection_check(uint64_t protection);

/* Rounds [address, address + length) up to whole pages, the end goes to *end. EINVAL: empty, unaligned, or not user
 * memory. */
MUST_CHECK int range_check(uint64_t address, uint64_t length, uint64_t *end);

/* The same for a range that is to be mapped at an exact address: EINVAL: empty or unaligned; ENOMEM: not user memory;
 * EPERM: below AREAS_LOW. */
MUST_CHECK int place_check(uint64_t address, uint64_t length, uint64_t *end);

/*
 * Adds an area where nothing is and merges it with its neighbours where that is possible. The area that then holds the
 * address, or NULL with *error: those of place_check(), EEXIST (exact, and something is there), ENOMEM, EAGAIN.
 */
MUST_CHECK struct vma *area_add_locked(struct space *space, const struct area_request *request, uint64_t *address,
                                       int *error) REQUIRES(space->lock);

/* Puts an area at an exact address, in place of what is there. Errors of area_add_locked() but EEXIST; EPERM: an IPC
 * buffer is there. */
MUST_CHECK int area_replace_locked(struct memsrv_context *worker, struct space *space,
                                   const struct area_request *request) REQUIRES(space->lock);

/* Removes what is in the range, areas and pages. EINVAL, ENOMEM, EPERM (an IPC buffer). */
MUST_CHECK int area_remove_locked(struct memsrv_context *worker, struct space *space, uint64_t address, uint64_t length)
    REQUIRES(space->lock);

/* Gives the range another protection. EINVAL, EACCES, EPERM (an IPC buffer), ENOMEM (a hole, a limit, or no memory). */
MUST_CHECK int area_protect_locked(struct memsrv_context *worker, struct space *space, uint64_t address,
                                   uint64_t length, uint64_t protection) REQUIRES(space->lock);

/* Moves the end of the heap to `end` if that can be; returns the end. */
uint64_t heap_move_locked(struct memsrv_context *worker, struct space *space, uint64_t end) REQUIRES(space->lock);

/* For a fault at an address that no area holds: lets the stack above it grow there. NULL: there is none, or it may
 * not: its limit, the distance to what is below, the promise of memory. No system call. */
MUST_CHECK struct vma *area_grow_down_locked(struct space *space, uint64_t address) REQUIRES(space->lock);

/* --- For the other files that change areas ------------------------------------------------------------------------ */

/* Finds room for `length` bytes, whole pages; *above is the area that follows, or NULL. ENOMEM. */
MUST_CHECK int find_room_locked(struct space *space, uint64_t length, uint64_t *start, struct vma **above)
    REQUIRES(space->lock);

/* Plans the cut of a range whose areas all may be changed by the program. EPERM: an IPC buffer; ENOMEM: too many areas;
 * EINVAL: not a range of whole pages of user memory. */
MUST_CHECK int plan_range_locked(struct space *space, uint64_t start, uint64_t end, struct vma_cut_plan *plan)
    REQUIRES(space->lock);

/* Removes areas and pages of a planned range. Cannot fail. */
void remove_planned_locked(struct memsrv_context *worker, struct space *space, const struct vma_cut_plan *plan,
                           struct vma *const nodes[]) REQUIRES(space->lock);

/* Unmaps what areas in [start, end) have ever had mapped, and gives it back. */
void release_touched_locked(struct memsrv_context *worker, struct space *space, uint64_t start, uint64_t end)
    REQUIRES(space->lock);

#endif
