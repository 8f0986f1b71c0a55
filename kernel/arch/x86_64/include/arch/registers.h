/* SPDX-License-Identifier: MIT */
/* Model-specific registers, ports, barriers and accesses to device registers. */
#ifndef ARCH_REGISTERS_H
#define ARCH_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_APIC_BASE      0x1bu
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_SFMASK         0xc0000084u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

static inline uint64_t msr_read(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* Which parts of a user's FP and SIMD registers the machine has on, and XSAVE stores. Only with CR4's XSAVE. */
static inline void xcr0_write(uint32_t components)
{
    __asm__ volatile("xsetbv" ::"a"(components), "d"(0), "c"(0) : "memory");
}

struct cpuid {
    uint32_t a, b, c, d;
};

/* A leaf that the machine does not have is all zero. */
static inline struct cpuid cpuid_read(uint32_t leaf, uint32_t part)
{
    struct cpuid id;
    uint32_t most;

    __asm__("cpuid" : "=a"(most), "=b"(id.b), "=c"(id.c), "=d"(id.d) : "a"(leaf & 0x80000000u), "c"(0));
    if (leaf > most)
        return (struct cpuid){0, 0, 0, 0};
    __asm__("cpuid" : "=a"(id.a), "=b"(id.b), "=c"(id.c), "=d"(id.d) : "a"(leaf), "c"(part));
    return id;
}

/* A random number of the processor's. False: it has none at the moment. Only with FEATURE_RDRAND. */
static inline bool rdrand(uint64_t *value)
{
    bool good;
    __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
    return good;
}
#define FEATURE_RDRAND (1u << 30) /* leaf 1, ecx */

/* The counter, read after everything before it. */
static inline uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* Stops this CPU for good. */
__attribute__((noreturn)) static inline void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" ::: "memory");
}

/* Has the machine reset itself, as it does when a CPU cannot even take an exception. */
__attribute__((noreturn)) static inline void cpu_reset(void)
{
    const uint64_t nothing[2] = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" ::"m"(nothing) : "memory");
    cpu_halt();
}

/* The number of this CPU's interrupt controller, by which the machine's tables call the CPU. */
static inline uint64_t cpu_affinity(void)
{
    const struct cpuid topology = cpuid_read(0xb, 0);
    return topology.b ? topology.d : cpuid_read(1, 0).b >> 24;
}

/* Accesses to device registers at an address that device_map() gave: one load or store of exactly that width. */
static inline uint32_t device_read32(const volatile void *address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void device_write32(volatile void *address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" ::"r"(value), "r"(address) : "memory");
}

#endif
