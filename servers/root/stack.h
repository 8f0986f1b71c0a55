/* SPDX-License-Identifier: MIT */
/*
 * The top page of a new program's stack: argc, argv, the environment and an empty auxiliary vector, as the System V ABI
 * lays them out, with the strings above them. Pure.
 */
#ifndef ROOT_STACK_H
#define ROOT_STACK_H

#include <base/check.h>
#include <quire/abi.h>
#include <stddef.h>

/* A program's stack ends here, begins with so many bytes, and grows as far as the program's limit lets it. */
#define STACK_TOP        0x7ffffffff000UL
#define STACK_SIZE_FIRST (128UL << 10)

#define ARGUMENT_BYTES_MAX 2048u
#define ARGUMENT_COUNT_MAX 64u

struct stack_page {
    uint64_t words[PAGE_SIZE / sizeof(uint64_t)]; /* belongs at STACK_TOP - PAGE_SIZE */
    uint64_t pointer;                             /* initial stack pointer, 16-byte aligned, in the page */
};

/*
 * Builds the page for the arguments [strings, strings + bytes): zero-terminated, one after the other.
 * EINVAL: none, or the last has no final zero; E2BIG: more than the limits above. *page is then unspecified.
 */
MUST_CHECK int stack_build(struct stack_page *page, const char *strings, size_t bytes);

#endif
