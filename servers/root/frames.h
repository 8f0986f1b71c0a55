/* SPDX-License-Identifier: MIT */
/*
 * The frames that root takes before memsrv runs: a bump allocator over the free regions of the boot information. It
 * only ever gives out, and what it gave out is a short list of ranges, which is how memsrv learns of it. Only root's
 * first thread calls these, and only until frames_close().
 */
#ifndef ROOT_FRAMES_H
#define ROOT_FRAMES_H

#include <base/check.h>
#include <quire/abi.h>
#include <stddef.h>

/* Starts over the free regions of `info`, which must stay. Takes from the top of the highest region down, so that the
 * memory that old devices can reach stays free. */
void frames_open(const struct boot_info *info);

/* Takes a frame of any content; returns its pfn. Never fails: without memory at boot, and after frames_close(), it
 * is fatal(). */
MUST_CHECK uint64_t frame_take(void);

/* Ends the allocator and writes what it gave out, at most `max` ranges, to `ranges`. Returns how many there are, or
 * -ENOSPC if more than `max`. */
struct frame_range {
    uint64_t base, size; /* bytes, page-aligned */
};
MUST_CHECK long frames_close(struct frame_range *ranges, size_t max);

#endif
