/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU registers and idling of x86-64, as the shared kernel code uses them. In the kernel GS points at the CPU's
 * struct arch_cpu; SWAPGS exchanges it for the user's, which holds the address of the thread's IPC buffer.
 * Included by assembly, too.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <arch/context.h>

/* Offsets in struct arch_cpu. */
#define ARCH_CPU_SELF      0
#define ARCH_CPU_STACK_TOP 8
#define ARCH_CPU_USER_SP   16
#define ARCH_CPU_VECTOR    24
#define ARCH_CPU_INDEX     32
#define ARCH_CPU_TASK      40
#define TASK_STACK         4   /* in the task segment: the stack on which the machine enters the kernel */
#define TASK_PORTS         102 /* where the map of allowed ports begins */

/* The task segment's map covers the ports below 0x400, and ends with a byte of ones. */
#define TASK_BYTES     104
#define PORT_MAP_PORTS 0x400
#define PORT_MAP_BYTES (PORT_MAP_PORTS / 8 + 1)

/* The stack that NMI, double fault and machine check have, on a boundary of its size. At its end is the address of the CPU's
 * struct arch_cpu: where those come from, GS may be anybody's. */
#define FATAL_STACK_SIZE 4096
#define FATAL_STACK_CPU  (FATAL_STACK_SIZE - 16)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct thread;

struct task_segment {
    uint32_t reserved0;
    uint64_t stacks[3];
    uint64_t reserved1;
    uint64_t interrupt_stacks[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t ports;
} __attribute__((packed));
_Static_assert(sizeof(struct task_segment) == TASK_BYTES, "the machine's");

/* What the architecture keeps of a CPU. */
struct arch_cpu {
    struct cpu *self;
    uint8_t *stack_top;
    uint64_t user_sp; /* for the entry of system calls alone */
    uint64_t vector;  /* of the interrupt that irq_take() is to tell; 0: none */
    uint64_t index;
    struct task_segment task;
    uint8_t ports[PORT_MAP_BYTES]; /* behind the task segment: a 0 allows */
    uint8_t fill[7];
    uint64_t descriptors[8];
};
_Static_assert(__builtin_offsetof(struct arch_cpu, stack_top) == ARCH_CPU_STACK_TOP, "entry.S");
_Static_assert(__builtin_offsetof(struct arch_cpu, user_sp) == ARCH_CPU_USER_SP, "entry.S");
_Static_assert(__builtin_offsetof(struct arch_cpu, vector) == ARCH_CPU_VECTOR, "entry.S");
_Static_assert(__builtin_offsetof(struct arch_cpu, index) == ARCH_CPU_INDEX, "below");
_Static_assert(__builtin_offsetof(struct arch_cpu, task) == ARCH_CPU_TASK, "entry.S");

static inline struct cpu *arch_this_cpu(void)
{
    struct cpu *cpu;
    __asm__("mov %%gs:%c1, %0" : "=r"(cpu) : "i"(ARCH_CPU_SELF));
    return cpu;
}

static inline uint64_t arch_this_index(void)
{
    uint64_t index;
    __asm__("mov %%gs:%c1, %0" : "=r"(index) : "i"(ARCH_CPU_INDEX));
    return index;
}

/* Descriptors, vectors, control registers and system call entry of CPU `index`, which runs this. After it GS is the
 * kernel's; everything else of this header may be used. */
void arch_cpu_begin(uint32_t index);

/* User threads whose address space has the page of these ports may use them; others may use none. Boot CPU, before any
 * other starts; `first` + `count` is at most PORT_MAP_PORTS. */
void arch_allow_ports(uint32_t first, uint32_t count);

/* In a value for arch_set_table(): the space may use the ports. */
#define TABLE_REGISTER_PORTS (1UL << 63)
#define PORTS_NONE           0xffffu

static inline void arch_set_table(uint64_t table_register)
{
    const uint16_t ports = table_register & TABLE_REGISTER_PORTS ? TASK_BYTES : PORTS_NONE;

    __asm__ volatile("movw %0, %%gs:%c1" ::"r"(ports), "i"(ARCH_CPU_TASK + TASK_PORTS) : "memory");
    __asm__ volatile("mov %0, %%cr3" ::"r"(table_register & ~TABLE_REGISTER_PORTS) : "memory");
}

/* The thread register that user code may write: read at switch-out, set at switch-in with the IPC buffer's address. */
static inline uint64_t arch_get_tls(void)
{
    uint64_t tls;
    __asm__ volatile("rdfsbase %0" : "=r"(tls));
    return tls;
}

/* An address that is not canonical, which the machine would not take, is 0. */
static inline void arch_set_tls(uint64_t tls, uint64_t buffer_address)
{
    const uint64_t base = (uint64_t)((int64_t)(tls << 16) >> 16) == tls ? tls : 0;

    __asm__ volatile("wrfsbase %0\n\tswapgs\n\twrgsbase %1\n\tswapgs" ::"r"(base), "r"(buffer_address));
}

/* Paging, write protection, alignment, numeric errors, monitor, protected mode: as it always is, but for the other bit. */
#define CR0_ON            0x80050033UL
#define CR0_TASK_SWITCHED (1UL << 3)

/* User mode may use FP and SIMD, or traps when it does. The kernel itself never does but to save and load. */
static inline void arch_fp_allow(uint64_t allow)
{
    if (allow)
        __asm__ volatile("clts");
    else
        __asm__ volatile("mov %0, %%cr0" ::"r"(CR0_ON | CR0_TASK_SWITCHED));
}

/* What XSAVE stores, as in XCR0, the same on all CPUs; 0: there is none, and FXSAVE is used. */
extern uint32_t arch_fp_components;

/* What a thread begins with. */
extern const struct fp_state arch_fp_reset;

static inline void arch_fp_save(struct fp_state *state)
{
    const uint32_t components = arch_fp_components;

    if (__builtin_expect(components != 0, 1))
        __asm__ volatile("xsave64 %0" : "+m"(*state) : "a"(components), "d"(0));
    else
        __asm__ volatile("fxsave64 %0" : "+m"(*state));
    state->saved = 1;
}

static inline void arch_fp_load(const struct fp_state *state)
{
    const uint32_t components = arch_fp_components;

    if (__builtin_expect(!state->saved, 0))
        state = &arch_fp_reset;
    if (__builtin_expect(components != 0, 1))
        __asm__ volatile("clts\n\txrstor64 %0" ::"m"(*state), "a"(components), "d"(0) : "memory");
    else
        __asm__ volatile("clts\n\tfxrstor64 %0" ::"m"(*state) : "memory");
}

/* CPUs that are to forget translations before the one that asks goes on; tlb.c. */
extern uint32_t tlb_waiting;

/* Forgets what this CPU was asked to, if it was. No lock. */
void tlb_serve(void);

/* One turn of waiting for the kernel lock: whoever holds it may be waiting for this CPU's TLB. */
static inline void arch_lock_wait(void)
{
    __asm__ volatile("pause" ::: "memory");
    if (__builtin_expect(__atomic_load_n(&tlb_waiting, __ATOMIC_ACQUIRE) != 0, 0))
        tlb_serve();
}

/* Sleeps until an interrupt came, which irq_take() tells. Interrupts are masked before and after. */
static inline void arch_wait_for_interrupt(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

/* The vector of the interrupt that this CPU took last, once; 0: none. For irq_take() alone. */
uint64_t arch_take_vector(void);

#endif
#endif
