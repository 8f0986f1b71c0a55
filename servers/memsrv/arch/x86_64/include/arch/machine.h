/* SPDX-License-Identifier: MIT */
/* What memsrv must know of the processor: zeroing pages fast, waiting in a loop, and fresh code. */
#ifndef ARCH_MACHINE_H
#define ARCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <quire/abi.h>

/* True if machine_zero_page() is to be used. Asked once, at start. */
static inline bool machine_zeroes_blocks(void)
{
    return true;
}

/* Zeroes the page at `page`, page-aligned. */
static inline void machine_zero_page(char *page)
{
    uint64_t words = PAGE_SIZE / sizeof(uint64_t);
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0UL) : "memory");
}

/* Copies the page at `from` to `to`, both page-aligned, without FP registers: a worker that used them would have to
 * have them saved and loaded at each switch. */
static inline void machine_copy_page(char *to, const char *from)
{
    uint64_t words = PAGE_SIZE / sizeof(uint64_t);
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}

/* One turn of a loop that waits for another processor. */
static inline void machine_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* Makes bytes that were written through the data cache visible to instruction fetches of all processors: here they
 * are. */
static inline void machine_sync_code(const char *from, uint64_t bytes)
{
    (void)from;
    (void)bytes;
}

#endif
