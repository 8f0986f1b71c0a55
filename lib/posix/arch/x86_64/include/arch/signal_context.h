/* SPDX-License-Identifier: MIT */
/* Between the registers of a frame and <sys/ucontext.h>'s, which has them in the order of the frame. */
#ifndef ARCH_SIGNAL_CONTEXT_H
#define ARCH_SIGNAL_CONTEXT_H

#include <quire/abi.h>
#include <string.h>
#include <sys/ucontext.h>

static inline void context_from_registers(mcontext_t *context, const struct thread_registers *registers)
{
    memcpy(context->regs, registers->general, sizeof(context->regs));
    context->sp = registers->stack_pointer;
    context->pc = registers->instruction_pointer;
    context->pstate = registers->flags;
}

static inline void registers_from_context(struct thread_registers *registers, const mcontext_t *context)
{
    memcpy(registers->general, context->regs, sizeof(context->regs));
    registers->stack_pointer = context->sp;
    registers->instruction_pointer = context->pc;
    registers->flags = context->pstate;
}

#endif
