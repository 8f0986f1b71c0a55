/* SPDX-License-Identifier: MIT */
/*
 * What a handler with SA_SIGINFO gets as its third argument: the thread's registers, which it may change, and the mask
 * that it goes on with.
 */
#ifndef _SYS_UCONTEXT_H
#define _SYS_UCONTEXT_H

#include <sys/signal.h>

typedef struct {
    unsigned long fault_address;
    unsigned long regs[31];
    unsigned long sp;
    unsigned long pc;
    unsigned long pstate; /* only the condition flags can be changed */
} mcontext_t;

typedef struct ucontext_t {
    unsigned long uc_flags;
    struct ucontext_t *uc_link;
    stack_t uc_stack;
    sigset_t uc_sigmask;
    mcontext_t uc_mcontext;
} ucontext_t;

#endif
