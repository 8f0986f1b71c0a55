/* SPDX-License-Identifier: MIT */
/* Per-CPU registers and idling of AArch64, as the shared kernel code uses them. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdint.h>

#include <arch/context.h>

struct cpu;
struct thread;

static inline struct cpu *arch_this_cpu(void)
{
    struct cpu *cpu;
    __asm__("mrs %0, tpidr_el1" : "=r"(cpu));
    return cpu;
}

static inline void arch_set_table(uint64_t table_register)
{
    __asm__ volatile("msr ttbr0_el1, %0" ::"r"(table_register) : "memory");
}

/* The thread register that user code may write: read at switch-out, set at switch-in with the IPC buffer's address. */
static inline uint64_t arch_get_tls(void)
{
    uint64_t tls;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tls));
    return tls;
}

static inline void arch_set_tls(uint64_t tls, uint64_t buffer_address)
{
    __asm__ volatile("msr tpidr_el0, %0\n\tmsr tpidrro_el0, %1" ::"r"(tls), "r"(buffer_address));
}

/* User mode may use FP and SIMD, or traps when it does. The kernel itself never does but to save and load. */
static inline void arch_fp_allow(uint64_t allow)
{
    __asm__ volatile("msr cpacr_el1, %0" ::"r"(allow ? 3UL << 20 : 1UL << 20));
}

/* One turn of waiting for the kernel lock. Whoever holds that waits for no other CPU. An emulator whose CPUs take turns on one
 * thread goes on with the next one here. */
static inline void arch_lock_wait(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/* Sleeps until an interrupt is pending. Interrupts are and stay masked. */
static inline void arch_wait_for_interrupt(void)
{
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

#endif
