/* SPDX-License-Identifier: MIT */
/*
 * What `quire.grant=physical` on the kernel command line gives the program of `quire.run=`, and nobody else: the means
 * to use the kernel as memsrv does, for tests and experiments. SLOT_PHYSICAL then holds a copy of the authority over
 * physical memory, whose badge names frames that memsrv has never had; they are the program's to use. A program with
 * this authority can break the machine.
 */
#ifndef PROTO_GRANT_H
#define PROTO_GRANT_H

#include <quire/abi.h>

#define GRANT_ARGUMENT "quire.grant=physical"

/* Besides: SLOT_DMA, and SLOT_BLK with BADGE_DMA and BADGE_PRIVILEGED if there is a disk. */

/* memsrv's endpoint with BADGE_PRIVILEGED, besides the ordinary one in SLOT_MEMSRV. */
#define GRANT_SLOT_MEMSRV 14u

/* Consecutive frames, of which HUGE_PAGE_SIZE bytes at least are aligned to their size. */
#define GRANT_FRAMES 1536u

/* The badge of SLOT_PHYSICAL: the first pfn. */
#define GRANT_FIRST_PFN(badge) (badge)

#endif
