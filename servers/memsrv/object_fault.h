/* SPDX-License-Identifier: MIT */
/* What a fault in a mapping of a memory object needs. */
#ifndef MEMSRV_OBJECT_FAULT_H
#define MEMSRV_OBJECT_FAULT_H

#include "space.h"

/* A fault, or the wish for a page, and what answers it. */
struct object_fault {
    uint64_t address; /* page-aligned, in an area that allows the access and maps an object */
    uint64_t access;  /* FAULT_READ, _WRITE, _EXECUTE */
    uint64_t entry;   /* what seemed to be mapped there, 0: nothing */

    uint64_t target, item; /* the map item that answers it; target 0: what is there has got its rights */
    struct page *taken;    /* anonymous page that the item maps, or NULL: a page of the object's */
    bool adds;             /* the item adds a page to those that are resident */
};

/*
 * Finds the page: the object's own, or in a private mapping that is written a copy, which is then the space's. The page
 * is counted as resident already, so the caller maps it or undoes the counting. Pages around a first touch that the
 * object has are mapped, too. EFAULT: past the end of the object; ENOMEM; EINPROGRESS, EAGAIN: as parking_wait(). Makes
 * system calls.
 */
MUST_CHECK int object_fault_locked(struct memsrv_context *worker, struct space *space, struct vma *area,
                                   struct object_fault *fault) REQUIRES(space->lock);

/* Takes back what object_fault_locked() did: the page was not mapped. */
void object_fault_undo_locked(struct memsrv_context *worker, struct space *space, const struct object_fault *fault)
    REQUIRES(space->lock);

#endif
