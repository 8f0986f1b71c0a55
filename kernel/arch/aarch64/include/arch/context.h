/* SPDX-License-Identifier: MIT */
/*
 * What the architecture keeps of a thread that does not run. vectors.S stores and loads these at the offsets below.
 * Included by assembly, too.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

/* Offsets in struct context; vectors.S addresses it through SP_EL1. */
#define CONTEXT_SP    248
#define CONTEXT_PC    256
#define CONTEXT_FLAGS 264

/* Offset of context in struct thread, and of the fields of struct cpu that vectors.S uses. */
#define THREAD_CONTEXT 16
#define CPU_STACK_TOP  0
#define CPU_CURRENT    8

#ifndef __ASSEMBLER__

#include <stdint.h>

struct context {
    uint64_t x[31];
    uint64_t sp, pc, flags; /* SP_EL0, ELR_EL1, SPSR_EL1 */
};
_Static_assert(__builtin_offsetof(struct context, sp) == CONTEXT_SP, "vectors.S");
_Static_assert(__builtin_offsetof(struct context, pc) == CONTEXT_PC, "vectors.S");
_Static_assert(__builtin_offsetof(struct context, flags) == CONTEXT_FLAGS, "vectors.S");

/* SIMD and floating-point registers. */
struct fp_state {
    uint64_t q[64];
    uint64_t control, status;
} __attribute__((aligned(16)));

/* So many of struct thread_registers' general ones the machine has. */
#define CONTEXT_GENERAL 31u

#define CONTEXT_CALL_BYTES 4u

static inline void context_written(struct context *context)
{
    (void)context;
}

/* What a user may set of the saved flags: the condition flags, and those alone. */
#define CONTEXT_USER_FLAGS 0xf0000000UL

#endif
#endif
