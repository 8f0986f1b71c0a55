/* SPDX-License-Identifier: MIT */
/* Zeroing whole pages. */
#ifndef ARCH_ZERO_H
#define ARCH_ZERO_H

/* Zeroes the page of memory at `page` in the direct map, page-aligned: by cache lines where the machine can. */
void arch_zero_page(void *page);

#endif
