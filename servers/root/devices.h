/* SPDX-License-Identifier: MIT */
/* The devices for which root starts drivers. */
#ifndef ROOT_DEVICES_H
#define ROOT_DEVICES_H

#include <base/check.h>
#include <proto/blk_start.h>
#include <stddef.h>

#include "process.h"

/*
 * Looks for virtio block devices among those that the tree (NULL: none) names, in order of their addresses, then on PCI,
 * then for controllers of SD cards, and keeps a list of them: BLK_DISKS_MAX at most. Before frames_close().
 */
void devices_find(const struct boot_info *info, const void *tree);

/* The arguments with which the block server is started for the disks that were found, `path` first: zero-terminated
 * strings, one after the other. NULL: no disk was found; otherwise *bytes is their length. */
const char *devices_blk_arguments(const char *path, size_t *bytes);

/* Gives a new block server the registers and interrupts of its disks. 0 or a negative errno. */
MUST_CHECK int devices_endow_blk(const struct process *process);

#endif
