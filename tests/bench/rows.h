/* SPDX-License-Identifier: MIT */
/* The rows of the benchmark that files other than bench.c hold. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 4096UL

/* Does `count` operations and stores the ticks that they took, without what prepares them. 0 or a negative errno. */
typedef int operation(uint64_t count, uint64_t *ticks);

struct row {
    const char *name; /* NULL: the table's end */
    operation *run;
    uint64_t count;
    uint64_t eighths; /* not 0: so many eighths of the machine's memory, in pages, are the count */
    bool once;        /* a run to warm up would be the same again */
    bool plain;       /* what the operation stores are not ticks, and printed as they are */
};

/* bench_fork.c: copy-on-write and processes. A page is copied while a child has it, too; or is the parent's alone again
 * since its child ended, having done nothing, or having made its tables its own. */
operation cow_copy, cow_reuse, cow_promote, fork_1m, fork_4m, fork_16m, fork_64m, fork_256m, fork_exit_wait;

/* The same: this program started again by posix_spawn(), with SPAWN_ARGUMENT, at which it ends at once. */
operation spawn;
#define SPAWN_ARGUMENT "end"
extern const char *bench_path;

/* bench_huge.c: the first write to 2 MiB of memory that is to be one huge page. */
operation huge_fault;

/* bench_areas.c: a write fault in an address space of so many areas, touched all over. */
operation fault_10_areas, fault_100_areas, fault_1000_areas, fault_10000_areas, fault_100000_areas;

/* bench_library.c: a page of a file that is in memory, and the heap with blocks of many sizes. */
operation read_4k_cached, write_4k_cached, malloc_mix, malloc_small, malloc_large, realloc_growth;

/* bench_threads.c: a mutex that is free; two threads, or processes with shared memory, that wake each other in turn; and
 * write faults of several threads at once. */
operation mutex_lock_unlock, futex_ping_pong, shared_ping_pong, thread_create_join;
operation fault_storm_1, fault_storm_2, fault_storm_4;

/* bench_files.c: the first access to a page of a mapped file, all of which is in memory. */
operation file_fault_page;

/* bench_disk.c: files on a disk, memory that is swapped, and pages that make room for others, on a machine with a disk and
 * little memory; and what is larger than its memory: a file, read once in order, and a working set. */
extern const struct row disk_rows[], scan_rows[], swap_rows[];

/* bench_scale.c: what of the machine's memory is free, or a part of the system has, in KiB; and what a small process takes of
 * it, in all and for a part, in bytes. */
operation free_memory, kernel_memory, memsrv_memory, pager_memory;
operation process_memory, process_kernel_memory, process_memsrv_memory, process_pager_memory;

#endif
