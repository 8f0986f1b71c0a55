/* SPDX-License-Identifier: MIT */
/*
 * The upper end of a new program's stack: argc, argv, the environment and the auxiliary vector, as the System V ABI
 * lays them out, with the strings above them. Pure.
 */
#ifndef ROOT_STACK_H
#define ROOT_STACK_H

#include <base/check.h>
#include <quire/abi.h>
#include <stddef.h>

/* A program's stack ends here at the highest, begins with so many bytes, and grows as far as the program's limit lets it. */
#define STACK_TOP        0x7ffffffff000UL
#define STACK_SIZE_FIRST (256UL << 10)

/* Arguments that come in one message, or on the command line. */
#define ARGUMENT_BYTES_MAX 2048u
#define ARGUMENT_COUNT_MAX 64u

/* Arguments and environment together. */
#define STRING_BYTES_MAX (128u << 10)
#define STRINGS_MAX      4096u

#define STACK_IMAGE_BYTES (STRING_BYTES_MAX + (STRINGS_MAX + 10) * sizeof(uint64_t))
_Static_assert(STACK_IMAGE_BYTES < STACK_SIZE_FIRST - 2 * PAGE_SIZE, "a program begins with some room");

struct stack_image {
    uint64_t words[STACK_IMAGE_BYTES / sizeof(uint64_t)];
    uint64_t end;     /* address of the first byte behind the words in the program's memory, a multiple of 16 */
    size_t start;     /* offset in bytes of the first word that counts */
    uint64_t pointer; /* where that is: the stack pointer, 16-byte aligned */
};
_Static_assert(STACK_IMAGE_BYTES % 16 == 0, "an offset is as aligned as its address");

/* The image that root builds programs' stacks in, one after the other, since it is large; it will end at `end`. */
struct stack_image *stack_image(uint64_t end);

/* Where `bytes` bytes of strings, at most STRING_BYTES_MAX, are to be put before stack_build(). */
char *stack_strings(struct stack_image *image, size_t bytes);

/*
 * Builds the image, whose `end` is set, for the strings that are there: `arguments` of the program, then `environment`
 * ones, zero-terminated, one after the other. `flags` are what the program finds as AT_FLAGS. EINVAL: no argument, an
 * empty first one, or the strings are not as many; E2BIG: more than the
 * limits above. *image is then unspecified.
 */
MUST_CHECK int stack_build(struct stack_image *image, size_t bytes, size_t arguments, size_t environment,
                           uint64_t flags);

/* The same for the arguments [strings, strings + bytes), with the environment that programs have at first; E2BIG also for
 * more than ARGUMENT_*_MAX. */
MUST_CHECK int stack_build_arguments(struct stack_image *image, const char *strings, size_t bytes);

#endif
