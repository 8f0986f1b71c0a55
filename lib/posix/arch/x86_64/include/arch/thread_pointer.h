/* SPDX-License-Identifier: MIT */
/*
 * The register from which compiled code reaches thread-local variables, and where the machine's ABI puts these: they end
 * at the address in the register, aligned as they ask, and there the address itself stands.
 */
#ifndef POSIX_ARCH_THREAD_POINTER_H
#define POSIX_ARCH_THREAD_POINTER_H

#include <stddef.h>
#include <stdint.h>

#define TLS_HEADER_BYTES 16UL

/* Bytes before the variables in a block for `bytes` of them, and where in the block the register points. */
static inline size_t tls_variables_offset(size_t bytes, size_t alignment)
{
    (void)bytes;
    (void)alignment;
    return 0;
}

static inline size_t tls_pointer_offset(size_t bytes, size_t alignment)
{
    return (bytes + alignment - 1) & ~(alignment - 1);
}

/* The size of the block. */
static inline size_t tls_block_bytes(size_t bytes, size_t alignment)
{
    return tls_pointer_offset(bytes, alignment) + TLS_HEADER_BYTES;
}

/* Makes `pointer` the calling thread's. The kernel keeps the register with the thread. */
static inline void thread_pointer_set(void *pointer)
{
    __asm__ volatile("wrfsbase %0" ::"r"(pointer) : "memory");
}

static inline void *thread_pointer(void)
{
    void *pointer;
    __asm__ volatile("rdfsbase %0" : "=r"(pointer));
    return pointer;
}

/* What stands at the pointer before any variable is used. */
static inline void tls_begin_header(void *pointer)
{
    *(void **)pointer = pointer;
}

#endif
