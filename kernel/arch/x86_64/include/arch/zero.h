/* SPDX-License-Identifier: MIT */
/* Zeroing whole pages. */
#ifndef ARCH_ZERO_H
#define ARCH_ZERO_H

#include <quire/abi.h>

static inline void arch_zero_page(void *page)
{
    uint64_t words = PAGE_SIZE / sizeof(uint64_t);
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0UL) : "memory");
}

#endif
