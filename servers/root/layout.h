/* SPDX-License-Identifier: MIT */
/*
 * Where the stacks of programs end, which is chance unless the kernel's command line says quire.randomize=0. memsrv does
 * the same for mappings and heaps.
 */
#ifndef ROOT_LAYOUT_H
#define ROOT_LAYOUT_H

#include <quire/abi.h>

#include "entropy.h"

/* `entropy` stays in use; it has got its seed, if there is one. Without it stacks end at STACK_TOP. */
void layout_open(const struct boot_info *info, struct entropy *entropy);

/* The end of the stack of a new program: a multiple of 16, at most STACK_TOP. */
uint64_t layout_stack_end(void);

#endif
