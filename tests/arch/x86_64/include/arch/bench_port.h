/* SPDX-License-Identifier: MIT */
/* The processor's part of the benchmark's port: x86-64. */
#ifndef TEST_ARCH_BENCH_PORT_H
#define TEST_ARCH_BENCH_PORT_H

#include <stdint.h>

/* The counter and its frequency in Hz. Under QEMU's -icount shift=0 an instruction takes one nanosecond. */
static inline uint64_t port_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t port_frequency(void)
{
    uint32_t low, high, frequency;
    __asm__("rdtscp" : "=a"(low), "=d"(high), "=c"(frequency));
    return (uint64_t)frequency * 1000;
}

/* Runs 2 * `rounds` instructions. */
static inline void port_spin(uint64_t rounds)
{
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds)::"cc");
}

/* An instruction that needs the floating-point registers. */
static inline void port_use_fp(void)
{
    __asm__ volatile("xorps %%xmm15, %%xmm15" ::: "xmm15");
}

#endif
