/* SPDX-License-Identifier: MIT */
/*
 * Mapping by hand, for the time before memsrv: root's own space and memsrv's. All of it is boot work on trusted
 * arguments, so a failure is fatal() and nothing is returned. Addresses and sizes are bytes, page-aligned.
 */
#ifndef ROOT_MEMORY_H
#define ROOT_MEMORY_H

#include <quire/abi.h>

/* root's own address space above its image. */
#define SCRATCH_ADDRESS           0x80000000UL /* one page that shows whatever frame is being filled */
#define WATCHER_BUFFER_ADDRESS    0x80010000UL /* IPC buffer of the watcher thread */
#define TIMER_BUFFER_ADDRESS      0x80020000UL /* that of the timer thread */
#define KHUGEPAGED_BUFFER_ADDRESS 0x80030000UL /* that of khugepaged */
#define POWER_BUFFER_ADDRESS      0x80050000UL /* that of the thread that ends the machine */
#define PROBE_ADDRESS             0x80040000UL /* a page of device registers, while it is looked at */
#define TREE_ADDRESS              0x90000000UL /* the device tree, while it is read */
#define ARCHIVE_ADDRESS           0x100000000UL

/* Donates enough frames to address space `aspace` (a slot) to map `pages` pages in one piece. */
void add_tables(uint64_t aspace, uint64_t pages);

/* Maps one frame at an address of the space. `rights`: ENTRY_*. */
void map_frame(uint64_t aspace, uint64_t address, uint64_t pfn, uint64_t rights);

/* Maps `pages` pages of physical memory from `physical` on into root's own space, tables included. */
void own_map(uint64_t address, uint64_t physical, uint64_t pages, uint64_t rights);

/* Takes `pages` pages that own_map() mapped out of root's space again. */
void own_unmap(uint64_t address, uint64_t pages);

/* Prepares the scratch page. Once, after frames_open(). */
void scratch_open(void);

/* Shows frame `pfn` at SCRATCH_ADDRESS, zeroed; valid until the next call or scratch_close(). */
void *scratch_zeroed(uint64_t pfn);

/* Unmaps the scratch page. */
void scratch_close(void);

#endif
