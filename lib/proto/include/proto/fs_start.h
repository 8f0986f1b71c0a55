/* SPDX-License-Identifier: MIT */
/*
 * How root starts the file server, besides what all servers have: with SLOT_EVENTS, with SLOT_PAGER, SLOT_BLK (BADGE_DMA) and
 * SLOT_DMA if there is a disk, and with FS_SLOT_BLOCKS, the endpoint (with RIGHT_RECEIVE) at which the pager asks where pages
 * of files are. It outlives the file server.
 */
#ifndef PROTO_FS_START_H
#define PROTO_FS_START_H

#include <quire/abi.h>

#define FS_SLOT_BLOCKS 17u

_Static_assert(FS_SLOT_BLOCKS < SLOT_FIRST_FREE && FS_SLOT_BLOCKS != SLOT_EVENTS, "a standard slot of its own");

#endif
