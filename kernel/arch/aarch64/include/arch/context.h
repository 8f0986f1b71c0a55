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

/* Registers of a message: the result and then the tag, the words, badge and origin. */
#define CONTEXT_RESULT 0
#define CONTEXT_TAG    1
#define CONTEXT_WORDS  2
#define CONTEXT_BADGE  8
#define CONTEXT_ORIGIN 9

/* So many of struct thread_registers' general ones the machine has. */
#define CONTEXT_GENERAL 31u

static inline uint64_t context_argument(const struct context *context, unsigned index)
{
    return context->x[index];
}

static inline void context_set_result(struct context *context, long result)
{
    context->x[CONTEXT_RESULT] = (uint64_t)result;
}

/* The second result of calls that have two. */
static inline void context_set_second(struct context *context, uint64_t value)
{
    context->x[1] = value;
}

/* A thread that is in a call, whose first argument was `first`, is going to make it once more. */
static inline void context_repeat_call(struct context *context, uint64_t first)
{
    context->x[CONTEXT_RESULT] = first;
    context->pc -= 4;
}

/* A thread that starts: user mode, interrupts on, everything else zero. */
static inline void context_start(struct context *context, uint64_t pc, uint64_t sp, uint64_t argument)
{
    *context = (struct context){.sp = sp, .pc = pc, .flags = 0};
    context->x[0] = argument;
}

/* Registers of a thread were set by another one: all are to be loaded, and none may do harm. */
static inline void context_written(struct context *context)
{
    (void)context;
}

/* What a user may set of the saved flags: the condition flags, and those alone. */
#define CONTEXT_USER_FLAGS 0xf0000000UL

#endif
#endif
