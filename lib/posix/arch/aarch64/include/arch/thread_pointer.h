/* SPDX-License-Identifier: MIT */
/*
 * The register from which compiled code reaches thread-local variables, and where the machine's ABI puts these: behind
 * a header of TLS_HEADER_BYTES at the address in the register, aligned as the variables ask.
 */
#ifndef POSIX_ARCH_THREAD_POINTER_H
#define POSIX_ARCH_THREAD_POINTER_H

#include <stddef.h>

#define TLS_HEADER_BYTES 16UL

/* Bytes before the variables in a block for `bytes` of them, and where in the block the register points. */
static inline size_t tls_variables_offset(size_t bytes, size_t alignment)
{
    (void)bytes;
    if (alignment < TLS_HEADER_BYTES)
        alignment = TLS_HEADER_BYTES;
    return (TLS_HEADER_BYTES + alignment - 1) & ~(alignment - 1);
}

static inline size_t tls_pointer_offset(size_t bytes, size_t alignment)
{
    (void)bytes;
    (void)alignment;
    return 0;
}

/* The size of the block. */
static inline size_t tls_block_bytes(size_t bytes, size_t alignment)
{
    return tls_variables_offset(bytes, alignment) + bytes;
}

/* Makes `pointer` the calling thread's. The kernel keeps the register with the thread. */
static inline void thread_pointer_set(void *pointer)
{
    __asm__ volatile("msr tpidr_el0, %0" ::"r"(pointer) : "memory");
}

static inline void *thread_pointer(void)
{
    void *pointer;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

/* What stands at the pointer before any variable is used: nothing that anybody here looks at. */
static inline void tls_begin_header(void *pointer)
{
    (void)pointer;
}

#endif
