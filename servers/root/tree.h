/* SPDX-License-Identifier: MIT */
/* The device tree, which root reads at start. */
#ifndef ROOT_TREE_H
#define ROOT_TREE_H

#include <base/check.h>
#include <quire/abi.h>
#include <stdbool.h>

/* Maps the device tree into root's space; NULL: it is none, but tree_close() must follow all the same. Before
 * frames_close(). Fatal if it cannot be mapped. */
MUST_CHECK const void *tree_open(const struct boot_info *info);

/* Unmaps it. */
void tree_close(const struct boot_info *info);

/* Where the first registers of a node are for the CPU, through all buses above it. False: nowhere, or the tree does not
 * say it in a way that makes sense. */
MUST_CHECK bool tree_registers(const void *tree, int node, uint64_t *address);

#endif
