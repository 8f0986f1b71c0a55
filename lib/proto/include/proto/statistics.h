/* SPDX-License-Identifier: MIT */
/*
 * What the servers know of memory, under the names that Linux gives it: a library for programs, over the operations of
 * memsrv and the pager that only ask. Sums come from one server at one moment; figures of two servers are as they are
 * when each is asked. A machine without a disk has no pager: its figures are 0 then.
 *
 * All calls return 0 or a negative errno: ENOBUFS, *figures is too small; otherwise what a server answers.
 */
#ifndef PROTO_STATISTICS_H
#define PROTO_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

#include <proto/memsrv_protocol.h>
#include <proto/pager_protocol.h>

enum statistic_unit { STATISTIC_COUNT, STATISTIC_KIB };

struct statistic {
    const char *name; /* constant */
    uint64_t value;
    enum statistic_unit unit;
};

/* Room that suffices for each of the lists below. */
#define STATISTICS_MAX 80u

#define STATISTICS_CALL __attribute__((warn_unused_result))

/*
 * The figures of /proc/meminfo. MemTotal is all memory of the machine: the sum of MemFree, Cached, AnonPages, PageTables,
 * Slab, Records, Kernel, Root, BootArchive, DeviceTree and Firmware. Cached has Shmem in it.
 */
STATISTICS_CALL int statistics_meminfo(struct statistic *figures, size_t capacity, size_t *count);

/* The figures of /proc/vmstat, with what became of faults by kind. */
STATISTICS_CALL int statistics_vmstat(struct statistic *figures, size_t capacity, size_t *count);

/* The value of a name; 0: there is none such. */
uint64_t statistics_value(const struct statistic *figures, size_t count, const char *name);

/* Zone `index`. ENOENT: behind the last. */
STATISTICS_CALL int statistics_zone(uint64_t index, struct memsrv_zone *zone);

/* What the pager holds and has done; zeros, and false, if there is none. */
bool statistics_pager(struct pager_info *info);

/* Pages of all swap areas. */
void statistics_swap(uint64_t *total, uint64_t *used);

/*
 * Why a block of an order could not be had, in thousandths, as Linux's extfrag_index: towards 0 for want of memory,
 * towards 1000 since what is free is in too small pieces; -1000: it could be had.
 */
int64_t statistics_extfrag_index(const struct memsrv_buddy *buddy, unsigned order);

/* How much of what is free is in blocks that are smaller than an order, in thousandths, as Linux's unusable_index. */
uint64_t statistics_unusable_index(const struct memsrv_buddy *buddy, unsigned order);

/*
 * Calls `visit` for each area of a process with what its pages are, all parts of an area added up: `start` and `end` are
 * then the area's. What `visit` returns, if it is not 0, ends the walk.
 */
STATISTICS_CALL int statistics_usage(uint64_t pid, int (*visit)(void *context, const struct memsrv_usage *area),
                                     void *context);

#endif
