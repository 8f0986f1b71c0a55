/* SPDX-License-Identifier: MIT */
/*
 * How root starts the pager: with SLOT_MEMSRV (the space has ROLE_PAGER, ROLE_RESERVE and ROLE_UNEVICTABLE), SLOT_ROOT,
 * SLOT_SERVE (the endpoint, with RIGHT_RECEIVE), SLOT_REPLY, and, if there is a disk, SLOT_BLK with BADGE_DMA and
 * SLOT_DMA. Its argument PAGER_START_NO_SWAP says that it uses no partition for swapped pages before it is told to.
 * PAGER_SLOT_FILES is the endpoint of who tells where pages of files are; empty if there is nobody.
 */
#ifndef PROTO_PAGER_START_H
#define PROTO_PAGER_START_H

#include <quire/abi.h>

#define PAGER_SLOT_FILES    16u
#define PAGER_START_NO_SWAP "noswap"

/*
 * The cookie of a memory object whose pages are those of a volume of the block server, one to one: nobody needs to be
 * asked where they are.
 */
#define PAGER_COOKIE_VOLUME            (1UL << 63)
#define PAGER_COOKIE_OF_VOLUME(volume) (PAGER_COOKIE_VOLUME | (volume))

_Static_assert(PAGER_SLOT_FILES < SLOT_FIRST_FREE, "a standard slot");

#endif
