/* SPDX-License-Identifier: MIT */
/* The partition that tests may write over, as memory. */
#ifndef TESTS_SCRATCH_DISK_H
#define TESTS_SCRATCH_DISK_H

#include <stdint.h>

/* A mapped run of pages from the partition's first on. */
struct scratch_disk {
    void *memory;
    uint64_t volume;
    uint64_t object; /* memsrv's: its pages are the partition's */
    uint64_t pages;
};

/* Maps `pages` pages (UINT64_MAX: all) of the partition called scratch, shared, with MEMSRV_PROTECT_ `protect`. The
 * caller's space becomes one that may create objects with a pager behind them. Returns ENODEV if there is no such
 * partition, or what memsrv refuses with. */
int scratch_disk_map(struct scratch_disk *disk, uint64_t pages, uint64_t protect) __attribute__((warn_unused_result));

#endif
