/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark needs of the system below it beyond POSIX: a counter, the cheapest system call, and a partner in
 * another address space. port_quire.c and port_linux.c implement it; the build takes one of them.
 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

#include <stdbool.h>
#include <stddef.h>
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

/* Makes the cheapest system call there is. */
void port_null_syscall(void);

/* `length` bytes of zeros, nothing of them present yet, in pages of 4 KiB. NULL: there is no memory. */
void *port_map(size_t length);

/*
 * Starts a partner that answers each message with a message, in an address space of its own; `use_fp`: it uses
 * floating-point registers for each. One partner at a time. 0, or a negative errno: ENOTSUP, this run has no way to.
 */
int port_partner_start(bool use_fp);

/* One message there and its answer back. 0 or a negative errno. */
int port_partner_call(void);

/* Ends the partner and frees all of it. 0 or a negative errno. */
int port_partner_stop(void);

#endif
