/* SPDX-License-Identifier: MIT */
/* Zeroing whole pages. */
#ifndef ARCH_ZERO_H
#define ARCH_ZERO_H

/* By cache lines where the machine can. */
void arch_zero_page(void *page);

#endif
