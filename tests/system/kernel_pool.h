/* SPDX-License-Identifier: MIT */
/* The frames of the grant, as kernel_test.c and the tests that count them see them. */
#ifndef TESTS_KERNEL_POOL_H
#define TESTS_KERNEL_POOL_H

#include <stdint.h>

/* How many frame_new() can still give; 0 without a grant. */
unsigned pool_free_frames(void);

/* The first frame of the grant; 0 without one. */
uint64_t pool_first(void);

#endif
