/* SPDX-License-Identifier: MIT */
/* The stack pointer of the calling function: nothing that it still needs is below. */
#ifndef POSIX_ARCH_STACK_POINTER_H
#define POSIX_ARCH_STACK_POINTER_H

#include <stdint.h>

static inline uint64_t stack_pointer(void)
{
    uint64_t pointer;
    __asm__ volatile("mov %%rsp, %0" : "=r"(pointer));
    return pointer;
}

#endif
