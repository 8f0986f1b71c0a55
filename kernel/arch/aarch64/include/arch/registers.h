/* SPDX-License-Identifier: MIT */
/*
 * System registers, barriers and the calls to firmware and emulator. Names are the assembler's, or S<op0>_<op1>_C..
 * where the assembler may not know them.
 */
#ifndef ARCH_REGISTERS_H
#define ARCH_REGISTERS_H

#include <stdint.h>

#define REGISTER_READ(name)                                                                                            \
    ({                                                                                                                 \
        uint64_t register_value;                                                                                       \
        __asm__ volatile("mrs %0, " #name : "=r"(register_value)::"memory");                                           \
        register_value;                                                                                                \
    })

#define REGISTER_WRITE(name, value) __asm__ volatile("msr " #name ", %x0" ::"rZ"((uint64_t)(value)) : "memory")

static inline void instruction_barrier(void)
{
    __asm__ volatile("isb" ::: "memory");
}

/* Memory and device accesses before it are complete for every observer before anything after it starts. */
static inline void system_barrier(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/* Wakes CPUs that wait for an event, after what was written before is there for them. */
static inline void cpu_wake_waiting(void)
{
    __asm__ volatile("dsb sy\n\tsev" ::: "memory");
}

/* Stops this CPU for good. */
__attribute__((noreturn)) static inline void cpu_halt(void)
{
    __asm__ volatile("msr daifset, #0xf" ::: "memory");
    for (;;)
        __asm__ volatile("wfi" ::: "memory");
}

/* The bits of MPIDR_EL1 that name a CPU; the device tree and PSCI use the same form. */
#define MPIDR_AFFINITY 0xff00ffffffUL

static inline uint64_t cpu_affinity(void)
{
    return REGISTER_READ(mpidr_el1) & MPIDR_AFFINITY;
}

/* Accesses to device registers at an address that device_map() gave: one load or store of exactly that width. */
static inline uint32_t device_read32(const volatile void *address)
{
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t device_read64(const volatile void *address)
{
    uint64_t value;
    __asm__ volatile("ldr %x0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void device_write8(volatile void *address, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

static inline void device_write32(volatile void *address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

static inline void device_write64(volatile void *address, uint64_t value)
{
    __asm__ volatile("str %x0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

/* firmware.S: a call to the firmware by one of its two ways in; the result is what it leaves in x0. */
int64_t firmware_call_hvc(uint64_t function, uint64_t first, uint64_t second, uint64_t third);
int64_t firmware_call_smc(uint64_t function, uint64_t first, uint64_t second, uint64_t third);

/* firmware.S: a semihosting call. An emulator that was not told to take it makes an exception of it. */
uint64_t semihosting_call(uint64_t operation, const void *argument);

#endif
