/* SPDX-License-Identifier: MIT */
/* The processor's part of the benchmark's port: AArch64. */
#ifndef TEST_ARCH_BENCH_PORT_H
#define TEST_ARCH_BENCH_PORT_H

#include <stdint.h>

/* The virtual counter and its frequency in Hz. Under QEMU's -icount shift=0 an instruction takes one nanosecond. */
static inline uint64_t port_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

static inline uint64_t port_frequency(void)
{
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}

/* Runs 2 * `rounds` instructions. */
static inline void port_spin(uint64_t rounds)
{
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(rounds)::"cc");
}

/* An instruction that needs the floating-point registers. */
static inline void port_use_fp(void)
{
    __asm__ volatile("fmov d16, xzr" ::: "v16");
}

#endif
