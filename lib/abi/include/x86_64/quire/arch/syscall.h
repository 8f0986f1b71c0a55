/* SPDX-License-Identifier: MIT */
/*
 * x86-64 trap stubs. The call number is in eax. Plain calls take arguments in rdi, rsi, rdx, r10, r8, r9, r12 and return
 * in rdi (and rsi); IPC calls use rdi (capability, then result), rsi (tag), rdx, r10, r8, r9, r12, r13 (words), r14
 * (endpoint, then badge), r15 (origin). rcx and r11 are lost; the kernel preserves every other register. General
 * registers of struct thread_registers are in this order, and then rax, rbx, rbp, rcx, r11.
 */
#ifndef QUIRE_ARCH_SYSCALL_H
#define QUIRE_ARCH_SYSCALL_H

#include <quire/abi.h>

/* The calling thread's IPC buffer; the kernel sets this register to its address at every switch. */
static inline struct ipc_buffer *ipc_buffer(void)
{
    struct ipc_buffer *buffer;
    __asm__("rdgsbase %0" : "=r"(buffer));
    return buffer;
}

/* The counter behind clock_now_ns(), in ticks of boot_info.timer_frequency. */
static inline uint64_t clock_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* The kernel keeps it, in kHz, where RDTSCP finds it. */
static inline uint64_t clock_frequency(void)
{
    uint32_t low, high, frequency;
    __asm__("rdtscp" : "=a"(low), "=d"(high), "=c"(frequency));
    return (uint64_t)frequency * 1000;
}

/* The stack pointer of a thread that begins in a C function, with a stack that ends at `top`, which is aligned to 16: as
 * if it had been called. */
static inline uint64_t entry_stack(uint64_t top)
{
    return top - sizeof(uint64_t);
}

/* `number` is a constant, as it has to be on other machines. */
#define SYS_STUB static inline __attribute__((always_inline))

SYS_STUB long sys_trap7(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    register uint64_t r12 __asm__("r12") = g;
    __asm__ volatile("syscall"
                     : "+D"(a), "+S"(b)
                     : "a"(number), "d"(c), "r"(r10), "r"(r8), "r"(r9), "r"(r12)
                     : "rcx", "r11", "memory", "cc");
    return (long)a;
}

SYS_STUB long sys_trap_out2(int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t *second)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+D"(a), "+S"(b)
                     : "a"(number), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory", "cc");
    if (second)
        *second = b;
    return (long)a;
}

SYS_STUB long sys_trap2(int number, uint64_t a, uint64_t b)
{
    __asm__ volatile("syscall" : "+D"(a), "+S"(b) : "a"(number) : "rcx", "r11", "memory", "cc");
    return (long)a;
}

SYS_STUB long sys_trap0(int number)
{
    return sys_trap2(number, 0, 0);
}

SYS_STUB long sys_ipc(int number, uint64_t slot, uint64_t endpoint, struct message *m)
{
    register uint64_t rdi __asm__("rdi") = slot;
    register uint64_t rsi __asm__("rsi") = m->tag;
    register uint64_t rdx __asm__("rdx") = m->words[0];
    register uint64_t r10 __asm__("r10") = m->words[1];
    register uint64_t r8 __asm__("r8") = m->words[2];
    register uint64_t r9 __asm__("r9") = m->words[3];
    register uint64_t r12 __asm__("r12") = m->words[4];
    register uint64_t r13 __asm__("r13") = m->words[5];
    register uint64_t r14 __asm__("r14") = endpoint;
    register uint64_t r15 __asm__("r15");
    __asm__ volatile("syscall"
                     : "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13), "+r"(r14),
                       "=r"(r15)
                     : "a"(number)
                     : "rcx", "r11", "memory", "cc");
    m->tag = rsi;
    m->words[0] = rdx;
    m->words[1] = r10;
    m->words[2] = r8;
    m->words[3] = r9;
    m->words[4] = r12;
    m->words[5] = r13;
    m->badge = r14;
    m->origin = r15;
    return (long)rdi;
}

#endif
