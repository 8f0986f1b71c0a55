/* SPDX-License-Identifier: MIT */
/*
 * Which objects nothing points to: a scan of memory, word by word, for what could be their addresses. A word that points
 * anywhere into an object counts, since lists link members of objects; so a leak may be missed, when a stale or unrelated
 * word looks like its address, but what is found is no mistake unless addresses are kept in another form.
 *
 * Pure: who calls it stops everybody else, and says what to scan.
 */
#ifndef MM_LEAK_SCAN_H
#define MM_LEAK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/check.h>

#define LEAK_SCAN_NONE UINT32_MAX

struct leak_object {
    uint64_t start;
    uint32_t size;
    uint32_t next; /* of those that were found and are still to be scanned */
    bool found;
    const void *owner; /* the caller's */
};

struct leak_scan {
    struct leak_object *objects; /* sorted by start, none overlaps another */
    uint32_t count;
    uint32_t pending; /* first object to be scanned */
    uint64_t low, high;
};

/* Begins a scan: sorts the objects and marks none as found. EINVAL: some overlap, or are empty. */
MUST_CHECK int leak_scan_begin(struct leak_scan *scan, struct leak_object *objects, uint32_t count);

/* Scans [start, end), rounded to whole words, and whatever objects are reached from there. The memory can be read. */
void leak_scan_range(struct leak_scan *scan, const void *start, const void *end);

/* The first object from `index` on that was not found; LEAK_SCAN_NONE: there is no more. */
uint32_t leak_scan_next(const struct leak_scan *scan, uint32_t index);

#endif
