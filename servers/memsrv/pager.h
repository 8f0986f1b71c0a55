/* SPDX-License-Identifier: MIT */
/*
 * The pager as memsrv sees it: who it is, what it is told. All that it must know again when it was restarted is kept
 * here, in parking.c (who waits) and in transit.c (pages that a device may be using).
 *
 * Lock: pager_lock, a leaf but for the zones', so that the pager can be told from anywhere.
 */
#ifndef MEMSRV_PAGER_H
#define MEMSRV_PAGER_H

#include "space.h"

/* What else than requests is to be told. */
enum pager_pending {
    PAGER_RECLAIM = 1, /* a zone is below its low watermark */
    PAGER_DIRTY = 2,   /* there are many dirty pages */
    PAGER_SLOTS = 4,   /* swap slots are free, or may be */
};

/* Before there is a second thread. */
void pager_init(void);

/* True if a pager has attached once: who needs it waits until it is there, again. */
bool pager_is_expected(void);

/* True if the caller of a request is the pager, attached or not. */
MUST_CHECK bool pager_is_caller(const struct message *request);

/* There are demands: signals the pager, if there is one. Any lock may be held; the IPC buffer is not touched. */
void pager_signal(void);

/* Notes what is pending, and signals. As pager_signal(). */
void pager_tell(enum pager_pending what);

/* Tells that a backed object is no more, and what a program said of a range; may be lost. */
void pager_tell_gone(uint64_t object, uint64_t cookie);
void pager_tell_advice(uint64_t object, uint64_t cookie, uint64_t index, uint64_t count, uint64_t advice);

/* Tells that a program said ADVICE_COLD or ADVICE_PAGE_OUT of [start, end) of its space; may be lost. */
void pager_tell_cold(uint64_t pid, uint64_t start, uint64_t end, uint64_t advice);

/* Attachments so far; true if there is a pager. */
uint64_t pager_generation(void);
MUST_CHECK bool pager_is_attached(void);

/* The space ends: its roles do. */
void pager_space_ends_locked(struct space *space) REQUIRES(space->lock);

#endif
