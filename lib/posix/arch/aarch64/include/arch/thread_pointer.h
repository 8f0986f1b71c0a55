/* SPDX-License-Identifier: MIT */
/*
 * The register from which compiled code reaches thread-local variables, and where the machine's ABI puts these: behind
 * a header of TLS_HEADER_BYTES at the address in the register, aligned as the variables ask.
 */
#ifndef POSIX_ARCH_THREAD_POINTER_H
#define POSIX_ARCH_THREAD_POINTER_H

#define TLS_HEADER_BYTES 16UL

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

#endif
