/* SPDX-License-Identifier: MIT */
/* What each CPU is set up with before it runs anything: descriptors, vectors, control registers, system call entry. */
#include "arch.h"
#include "panic.h"
#include "platform.h"
#include "start.h"
#include "thread.h"

#define VECTORS          256u
#define STUB_BYTES       16u
#define DEBUG_STACK_SIZE 512u

#define GATE_INTERRUPT      0x8e00u
#define GATE_USER           0x6000u /* user mode may use INT for it */
#define VECTOR_DEBUG        1u
#define VECTOR_NMI          2u
#define VECTOR_BREAKPOINT   3u
#define VECTOR_OVERFLOW     4u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_MACHINE      18u

#define DESCRIPTOR_KERNEL_CODE 0x00af9b000000ffffUL
#define DESCRIPTOR_KERNEL_DATA 0x00cf93000000ffffUL
#define DESCRIPTOR_USER_DATA   0x00cff3000000ffffUL
#define DESCRIPTOR_USER_CODE   0x00affb000000ffffUL
#define DESCRIPTOR_TASK        0x0000890000000000UL

#define CR4_PAE             (1UL << 5)
#define CR4_MACHINE_CHECK   (1UL << 6)
#define CR4_GLOBAL          (1UL << 7)
#define CR4_FXSAVE          (1UL << 9)
#define CR4_SIMD_EXCEPTIONS (1UL << 10)
#define CR4_UMIP            (1UL << 11)
#define CR4_FSGSBASE        (1UL << 16)
#define CR4_XSAVE           (1UL << 18)
#define CR4_SMEP            (1UL << 20)
#define CR4_SMAP            (1UL << 21)

#define FEATURE_XSAVE    (1u << 26) /* leaf 1, ecx */
#define FEATURE_FSGSBASE (1u << 0)  /* leaf 7, ebx */
#define FEATURE_SMEP     (1u << 7)  /* leaf 7, ebx */
#define FEATURE_SMAP     (1u << 20) /* leaf 7, ebx */
#define FEATURE_UMIP     (1u << 2)  /* leaf 7, ecx */
#define FEATURE_RDTSCP   (1u << 27) /* leaf 0x80000001, edx */

/* What SYSCALL clears: trap, interrupts, direction, privilege, nesting, alignment. */
#define SYSCALL_FLAGS 0x47700UL

/* Of XCR0, and leaf 0xd, eax: x87 and SSE, which are always there; AVX. Nothing else is turned on. */
#define COMPONENTS_LEAST 0x3u
#define COMPONENT_AVX    0x4u
#define LEAF_XSAVE       0xdu

struct gate {
    uint16_t offset_low, selector, kind, offset_middle;
    uint32_t offset_high, reserved;
};

struct table_place {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern const char arch_vector_stubs[], arch_syscall_entry[];
extern char arch_clac[];

static struct arch_cpu arch_cpus[CPUS_MAX] __attribute__((aligned(64)));
static struct gate gates[VECTORS] __attribute__((aligned(16)));
static uint8_t fatal_stacks[CPUS_MAX][FATAL_STACK_SIZE] __attribute__((aligned(FATAL_STACK_SIZE)));
static uint8_t debug_stacks[CPUS_MAX][DEBUG_STACK_SIZE] __attribute__((aligned(16)));

uint32_t arch_fp_components;
/* The control registers of x87 and SSE. For XRSTOR a header of zeros stands for all others as at reset. */
const struct fp_state arch_fp_reset = {.legacy = {[0] = 0x7f, [1] = 0x03, [24] = 0x80, [25] = 0x1f}};

/* NMI, double fault and machine check come on a stack of their own: the CPU's may be what broke, or it is still the user's,
 * at the first instructions of a system call. A debug exception can come there, too. */
static unsigned stack_of(unsigned vector)
{
    if (vector == VECTOR_DEBUG)
        return 2;
    return vector == VECTOR_NMI || vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE ? 1 : 0;
}

static void fill_gates(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        const uint64_t stub = (uint64_t)arch_vector_stubs + vector * STUB_BYTES;
        const bool user = vector == VECTOR_BREAKPOINT || vector == VECTOR_OVERFLOW;
        gates[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
            .selector = SELECTOR_KERNEL_CODE,
            .kind = (uint16_t)(GATE_INTERRUPT | (user ? GATE_USER : 0) | stack_of(vector)),
        };
    }
}

static void load_descriptors(struct arch_cpu *cpu)
{
    const uint64_t task = (uint64_t)&cpu->task;
    const uint64_t limit = sizeof(cpu->task) + PORT_MAP_BYTES - 1;
    const struct table_place gate_place = {sizeof(gates) - 1, (uint64_t)gates};
    const struct table_place place = {sizeof(cpu->descriptors) - 1, (uint64_t)cpu->descriptors};

    cpu->descriptors[SELECTOR_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
    cpu->descriptors[SELECTOR_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
    cpu->descriptors[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
    cpu->descriptors[SELECTOR_USER_CODE / 8] = DESCRIPTOR_USER_CODE;
    cpu->descriptors[SELECTOR_TASK / 8] = DESCRIPTOR_TASK | limit | (task & 0xffffff) << 16 | (task >> 24 & 0xff) << 56;
    cpu->descriptors[SELECTOR_TASK / 8 + 1] = task >> 32;
    __asm__ volatile("lgdt %0\n\tlidt %1" ::"m"(place), "m"(gate_place) : "memory");
    __asm__ volatile("push %0\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\tlretq\n1:" ::"i"(SELECTOR_KERNEL_CODE)
                     : "rax", "memory");
    __asm__ volatile("mov %0, %%ss\n\tmov %0, %%ds\n\tmov %0, %%es" ::"r"(SELECTOR_KERNEL_DATA) : "memory");
    __asm__ volatile("mov %0, %%fs\n\tmov %0, %%gs" ::"r"(0) : "memory");
    __asm__ volatile("ltr %w0" ::"r"(SELECTOR_TASK) : "memory");
}

/* Without SMAP there is no CLAC: where entry.S has one, nothing is done. The boot CPU, while the image can be written. */
static void drop_clac(void)
{
    static const uint8_t nothing[] = {0x0f, 0x1f, 0x00};

    if (!(cpuid_read(7, 0).b & FEATURE_SMAP))
        __builtin_memcpy(arch_clac, nothing, sizeof(nothing));
}

/* Turns on what there is room for in struct fp_state, the same on all CPUs. */
static void set_components(uint32_t index)
{
    uint32_t components = 0;

    if (cpuid_read(1, 0).c & FEATURE_XSAVE) {
        components = COMPONENTS_LEAST | (cpuid_read(LEAF_XSAVE, 0).a & COMPONENT_AVX);
        xcr0_write(components);
        if (cpuid_read(LEAF_XSAVE, 0).b > sizeof(struct fp_state)) {
            components = COMPONENTS_LEAST;
            xcr0_write(components);
        }
    }
    if (index == 0)
        arch_fp_components = components;
    else if (components != arch_fp_components)
        panic("CPU %u has other FP registers than the first: %x, %x", index, components, arch_fp_components);
}

static void set_control(uint32_t index)
{
    const struct cpuid features = cpuid_read(7, 0);
    uint64_t value = CR4_PAE | CR4_MACHINE_CHECK | CR4_GLOBAL | CR4_FXSAVE | CR4_SIMD_EXCEPTIONS | CR4_FSGSBASE;

    if (!(features.b & FEATURE_FSGSBASE) || !(cpuid_read(0x80000001, 0).d & FEATURE_RDTSCP))
        panic("this processor is too old: FSGSBASE and RDTSCP are needed");
    value |= (features.b & FEATURE_SMEP ? CR4_SMEP : 0) | (features.b & FEATURE_SMAP ? CR4_SMAP : 0) |
             (features.c & FEATURE_UMIP ? CR4_UMIP : 0) | (cpuid_read(1, 0).c & FEATURE_XSAVE ? CR4_XSAVE : 0);
    __asm__ volatile("mov %0, %%cr0\n\tmov %1, %%cr4" ::"r"(CR0_ON), "r"(value) : "memory");
    set_components(index);
}

void arch_cpu_begin(uint32_t index)
{
    struct arch_cpu *cpu = &arch_cpus[index];

    if (index == 0) {
        fill_gates();
        drop_clac();
    }
    cpu->index = index;
    cpu->stack_top = kernel_stacks[index] + KERNEL_STACK_SIZE;
    *(struct arch_cpu **)(void *)(fatal_stacks[index] + FATAL_STACK_CPU) = cpu;
    cpu->task.interrupt_stacks[0] = (uint64_t)(fatal_stacks[index] + FATAL_STACK_CPU);
    cpu->task.interrupt_stacks[1] = (uint64_t)(debug_stacks[index] + DEBUG_STACK_SIZE);
    cpu->task.ports = PORTS_NONE;
    __builtin_memset(cpu->ports, 0xff, sizeof(cpu->ports));
    if (index)
        __builtin_memcpy(cpu->ports, arch_cpus[0].ports, sizeof(cpu->ports));
    load_descriptors(cpu);
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    set_control(index);
    msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)(SELECTOR_KERNEL_DATA | 3) << 48);
    msr_write(MSR_LSTAR, (uint64_t)arch_syscall_entry);
    msr_write(MSR_SFMASK, SYSCALL_FLAGS);
}

void arch_cpu_init(struct cpu *cpu)
{
    arch_cpus[cpu->index].self = cpu;
    /* By this user programs know how fast the counter counts. */
    msr_write(MSR_TSC_AUX, machine.timer_frequency / 1000);
    arch_fp_allow(false);
}

void arch_allow_ports(uint32_t first, uint32_t count)
{
    for (uint32_t port = first; port < first + count; port++)
        arch_cpus[0].ports[port / 8] &= (uint8_t) ~(1u << port % 8);
}

uint64_t arch_take_vector(void)
{
    struct arch_cpu *cpu = &arch_cpus[arch_this_index()];
    const uint64_t vector = cpu->vector;
    cpu->vector = 0;
    return vector;
}
