/* SPDX-License-Identifier: MIT */
/*
 * Memory of memsrv's own besides records of one size: a heap, memory of each worker's, and areas of its address space that are contiguous
 * whatever pages there are, between guard pages. All of it is record_source's memory.
 *
 * Lock order: own_space.lock -> caches -> zones. Whoever makes or frees an area there makes system calls: the caller's
 * IPC buffer is overwritten.
 */
#ifndef MEMSRV_OWN_MEMORY_H
#define MEMSRV_OWN_MEMORY_H

#include <mm/percpu.h>
#include <mm/vmalloc.h>

extern struct kmalloc_heap own_heap;
extern struct vmalloc_space own_space;
extern struct percpu own_percpu; /* a worker is a CPU */

/* For a machine with `cpu_count` processors. Before there is a second thread, and after caches_init(). */
void own_memory_init(uint64_t cpu_count);

/* Pages given to the kernel as translation tables of own_space. */
uint64_t own_table_pages(void);

#endif
