/* SPDX-License-Identifier: MIT */
/*
 * The device tree as the platforms read it. The tree is not trusted: device_tree_open() checks its form, and what does
 * not make sense in a property panics with the property's name. Boot CPU, during platform_discover(), with the tree
 * mapped. A `node` is libfdt's offset; negative: none. Addresses are physical, as the CPU sees them.
 */
#ifndef PLATFORM_DEVICE_TREE_H
#define PLATFORM_DEVICE_TREE_H

#include "platform.h"

/* Checks the tree at a physical address, `bytes` of which are mapped: every tag, name and property is inside it. */
void device_tree_open(uint64_t tree, uint64_t bytes);

/* First node after `node` (-1: of all) that is compatible and not disabled. */
int device_tree_next_compatible(int node, const char *compatible);

/* Node at a path, or by an alias; options after a colon are left out. */
int device_tree_find_path(const char *path);

/* A node's children, one after the other: start with child = -1. */
int device_tree_next_child(int node, int child);

/* The next memory node, in any place; start with -1. */
int device_tree_next_memory(int node);

bool device_tree_enabled(int node);

/* A string property; NULL if there is none. Panics if it does not end. */
const char *device_tree_string(int node, const char *name);

/* True if the string list property (compatible, enable-method) has the string. */
bool device_tree_has_string(int node, const char *name, const char *wanted);

/* A number of one or two cells. False: no such property. */
bool device_tree_number(int node, const char *name, uint64_t *number);

/* Cell `index` of a property. False: it has fewer. */
bool device_tree_cell(int node, const char *name, unsigned index, uint32_t *cell);

/* Range `index` of the node's reg, as the CPU sees it. False: there are fewer. It is not empty and does not wrap. */
bool device_tree_range(int node, unsigned index, struct memory_region *range);

/* First number of entry `index` of a CPU node's reg: the address without a size. */
bool device_tree_cpu_address(int node, uint64_t *address);

/* Interrupt `index` of a node below a GIC (three cells each), as the GIC numbers it. False: there are fewer. */
bool device_tree_gic_interrupt(int node, unsigned index, uint32_t *irq);

/* Entry `index` of the memory reservations. False: there are fewer. */
bool device_tree_reservation(unsigned index, struct memory_region *range);

#endif
