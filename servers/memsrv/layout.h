/* SPDX-License-Identifier: MIT */
/*
 * Where things go in an address space, and how much of that is chance. Nothing here is guessable from outside unless the
 * kernel command line says quire.randomize=0.
 */
#ifndef MEMSRV_LAYOUT_H
#define MEMSRV_LAYOUT_H

#include <stdint.h>

#include <quire/abi.h>

/* Before there is a second thread, once the device tree was checked: the seed comes from there. */
void layout_init(const struct boot_info *info);

/* The end of what memsrv chooses addresses in, for a new space. */
uint64_t layout_mappings_high(void);

/* Bytes, whole pages, between the end of an image and its heap. */
uint64_t layout_heap_offset(void);

#endif
