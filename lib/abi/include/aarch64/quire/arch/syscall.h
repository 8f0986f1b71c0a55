/* SPDX-License-Identifier: MIT */
/*
 * AArch64 trap stubs. The call number is the immediate of SVC. Plain calls take arguments in x0..x6 and return in x0
 * (and x1); IPC calls use x0 (capability, then result), x1 (tag), x2..x7 (words), x8 (endpoint, then badge), x9
 * (origin). The kernel preserves every other register.
 *
 * Whatever is read or written of memory is so before the first register is filled, and after the last result was taken out:
 * a compiler may put calls in front of accesses to memory (-fsanitize=kernel-address), which change registers.
 */
#ifndef QUIRE_ARCH_SYSCALL_H
#define QUIRE_ARCH_SYSCALL_H

#include <quire/abi.h>

/* The calling thread's IPC buffer; the kernel keeps its address in the read-only thread register. */
static inline struct ipc_buffer *ipc_buffer(void)
{
    struct ipc_buffer *buffer;
    __asm__("mrs %0, tpidrro_el0" : "=r"(buffer));
    return buffer;
}

/* The counter behind clock_now_ns(), in ticks of boot_info.timer_frequency. */
static inline uint64_t clock_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

static inline uint64_t clock_frequency(void)
{
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}

/* The stack pointer of a thread that begins in a C function, with a stack that ends at `top`, which is aligned to 16. */
static inline uint64_t entry_stack(uint64_t top)
{
    return top;
}

/* `number` must be a constant: it becomes part of the instruction. */
#define SYS_STUB static inline __attribute__((always_inline))

SYS_STUB long sys_trap7(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g)
{
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    register uint64_t x2 __asm__("x2") = c;
    register uint64_t x3 __asm__("x3") = d;
    register uint64_t x4 __asm__("x4") = e;
    register uint64_t x5 __asm__("x5") = f;
    register uint64_t x6 __asm__("x6") = g;
    __asm__ volatile("svc %[number]"
                     : "+r"(x0), "+r"(x1)
                     : [number] "i"(number), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6)
                     : "memory", "cc");
    return (long)x0;
}

SYS_STUB long sys_trap_out2(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t *second)
{
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    register uint64_t x2 __asm__("x2") = c;
    register uint64_t x3 __asm__("x3") = d;
    register uint64_t x4 __asm__("x4") = e;
    __asm__ volatile("svc %[number]"
                     : "+r"(x0), "+r"(x1)
                     : [number] "i"(number), "r"(x2), "r"(x3), "r"(x4)
                     : "memory", "cc");
    const uint64_t results[] = {x0, x1};
    if (second)
        *second = results[1];
    return (long)results[0];
}

SYS_STUB long sys_trap0(int number)
{
    register uint64_t x0 __asm__("x0");
    __asm__ volatile("svc %[number]" : "=r"(x0) : [number] "i"(number) : "x1", "memory", "cc");
    return (long)x0;
}

SYS_STUB long sys_trap2(int number, uint64_t a, uint64_t b)
{
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    __asm__ volatile("svc %[number]" : "+r"(x0), "+r"(x1) : [number] "i"(number) : "memory", "cc");
    return (long)x0;
}

SYS_STUB long sys_ipc(int number, uint64_t slot, uint64_t endpoint, struct message *m)
{
    const struct message in = *m;
    register uint64_t x0 __asm__("x0") = slot;
    register uint64_t x1 __asm__("x1") = in.tag;
    register uint64_t x2 __asm__("x2") = in.words[0];
    register uint64_t x3 __asm__("x3") = in.words[1];
    register uint64_t x4 __asm__("x4") = in.words[2];
    register uint64_t x5 __asm__("x5") = in.words[3];
    register uint64_t x6 __asm__("x6") = in.words[4];
    register uint64_t x7 __asm__("x7") = in.words[5];
    register uint64_t x8 __asm__("x8") = endpoint;
    register uint64_t x9 __asm__("x9");
    __asm__ volatile("svc %[number]"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7), "+r"(x8),
                       "=r"(x9)
                     : [number] "i"(number)
                     : "memory", "cc");
    const long result = (long)x0;
    const struct message out = {.tag = x1, .words = {x2, x3, x4, x5, x6, x7}, .badge = x8, .origin = x9};
    *m = out;
    return result;
}

#endif
