/* SPDX-License-Identifier: MIT */
/* From the device tree and what kernel and root say to zones full of free pages: memsrv's first act. */
#ifndef MEMSRV_BOOT_MEMORY_H
#define MEMSRV_BOOT_MEMORY_H

#include <mm/memblock.h>
#include <proto/memsrv_handover.h>
#include <quire/abi.h>

/*
 * Fills memory_map, zones and boot_account of memory.h. `info` and `handover` are pages that root mapped. Before there
 * is a second thread. Fatal with the reason if the machine's memory cannot be made sense of, or if a page would be
 * in no account or in two.
 */
void boot_memory(const struct boot_info *info, const struct memsrv_handover *handover);

/*
 * Adds what the flattened device tree at `tree` says: its memory nodes, and as reserved its memory reservations and
 * the children of /reserved-memory that have an address. At most `limit` bytes are looked at. EINVAL: no tree, or one
 * whose numbers make no sense; ENOENT: no memory; ENOSPC: too many ranges.
 */
MUST_CHECK int boot_tree_read(const void *tree, uint64_t limit, struct memblock *memblock);

/*
 * The first address that some device does not reach, if the tree's buses say so (dma-ranges); UINT64_MAX if none does.
 * A bus without the property, or with an empty one, reaches what its parent reaches. `tree` was read before.
 */
uint64_t boot_tree_dma_limit(const void *tree);

#endif
