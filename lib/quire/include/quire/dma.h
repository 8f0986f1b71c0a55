/* SPDX-License-Identifier: MIT */
/*
 * Memory that devices read and write, for programs that root has given SLOT_DMA.
 */
#ifndef QUIRE_DMA_H
#define QUIRE_DMA_H

#include <stddef.h>
#include <stdint.h>

/* Pages that lie one after the other, in the program's memory and in the machine's. */
struct dma_memory {
    void *address; /* page-aligned */
    size_t bytes;  /* a multiple of PAGE_SIZE */
    uint64_t pfn;  /* of the first page */
    uint64_t id;   /* of its memory object */
};

/* Takes `bytes` bytes, rounded up to whole pages, at most 4 MiB, all zeros, of memory that never moves or goes away. 0, or
 * the error of memsrv's memory_dma or map_object; a failure leaves nothing behind. */
__attribute__((warn_unused_result)) int dma_memory_take(struct dma_memory *memory, size_t bytes);

/* Gives it back: no device uses it any more. */
void dma_memory_give(struct dma_memory *memory);

#endif
