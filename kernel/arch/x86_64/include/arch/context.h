/* SPDX-License-Identifier: MIT */
/*
 * What the architecture keeps of a thread that does not run. entry.S stores and loads these at the offsets below; from
 * `error` or `pc` on it is what the machine itself pushes when it leaves user mode. Included by assembly, too.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

/* Offsets in struct context. */
#define CONTEXT_VECTOR 120
#define CONTEXT_PC     136
#define CONTEXT_BYTES  176

/* Offset of context in struct thread; its end is where the machine pushes, so it is aligned to 16. */
#define THREAD_CONTEXT     16
#define THREAD_CONTEXT_END (THREAD_CONTEXT + CONTEXT_BYTES)

/* Offsets of the fields of struct cpu that the architecture relies on. */
#define CPU_STACK_TOP 0
#define CPU_CURRENT   8

/* Selectors of the descriptor table that each CPU has; the order is that of SYSCALL and SYSRET. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b
#define SELECTOR_USER_CODE   0x23
#define SELECTOR_TASK        0x28

/* In the place of a vector: the thread came by SYSCALL, so it expects nothing of rcx and r11. */
#define VECTOR_SYSCALL 0x100

#ifndef __ASSEMBLER__

#include <stdint.h>

/* The general registers in the order of the ABI: rdi rsi rdx r10 r8 r9 r12 r13 r14 r15 rax rbx rbp rcx r11. */
struct context {
    uint64_t x[15];
    uint64_t vector, error;
    uint64_t pc, cs, flags, sp, ss;
};
_Static_assert(__builtin_offsetof(struct context, vector) == CONTEXT_VECTOR, "entry.S");
_Static_assert(__builtin_offsetof(struct context, pc) == CONTEXT_PC, "entry.S");
_Static_assert(sizeof(struct context) == CONTEXT_BYTES, "entry.S");
_Static_assert(THREAD_CONTEXT_END % 16 == 0, "the machine aligns its stack");

/* What XSAVE stores of x87, SSE and AVX; FXSAVE, on machines without it, only what is before the header. The machine leaves
 * the last words there to software. The header is zero before XSAVE writes to it for the first time. */
struct fp_state {
    uint8_t legacy[464];
    uint64_t saved; /* 0: never yet, the registers are as at reset */
    uint64_t unused[5];
    uint64_t header[8];
    uint8_t upper_halves[256];
} __attribute__((aligned(64)));
_Static_assert(__builtin_offsetof(struct fp_state, header) == 512 && sizeof(struct fp_state) == 832, "XSAVE");

/* So many of struct thread_registers' general ones the machine has. */
#define CONTEXT_GENERAL 15u

#define CONTEXT_CALL_BYTES 2u

/* Interrupts are on in user mode; bit 1 is always set. */
#define FLAGS_USER 0x202UL

static inline void context_written(struct context *context)
{
    context->vector = 0;
    context->cs = SELECTOR_USER_CODE;
    context->ss = SELECTOR_USER_DATA;
    context->flags |= FLAGS_USER;
}

/* What a user may set of the saved flags: carry, parity, adjust, zero, sign, direction, overflow. */
#define CONTEXT_USER_FLAGS 0xcd5UL

#endif
#endif
