/* SPDX-License-Identifier: MIT */
/* Adds to newlib's jumps those that keep the signal mask. */
#ifndef QUIRE_MACHINE_SETJMP_H
#define QUIRE_MACHINE_SETJMP_H

#include_next <machine/setjmp.h>
#include <sys/_sigset.h>
#include <sys/cdefs.h>

typedef struct {
    jmp_buf registers;
    __sigset_t mask;
    int has_mask;
} sigjmp_buf[1];

__BEGIN_DECLS

/* Keeps the mask; part of sigsetjmp() alone. */
void __sigsetjmp_mask(sigjmp_buf buffer, int savemask);
void siglongjmp(sigjmp_buf buffer, int value) __attribute__((__noreturn__));

__END_DECLS

/* setjmp() must be called from the function that it returns to. */
#define sigsetjmp(buffer, savemask) (__sigsetjmp_mask((buffer), (savemask)), setjmp((buffer)[0].registers))

#define _setjmp(buffer)         setjmp(buffer)
#define _longjmp(buffer, value) longjmp((buffer), (value))

#endif
