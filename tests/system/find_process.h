/* SPDX-License-Identifier: MIT */
/* Services as tests see them. */
#ifndef TESTS_FIND_PROCESS_H
#define TESTS_FIND_PROCESS_H

#include <stdint.h>

/* The number of a process that runs the program of that name, its folder left out; 0: there is none. */
uint64_t find_process(const char *name);

#endif
