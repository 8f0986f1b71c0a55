/* SPDX-License-Identifier: MIT */
/*
 * Where handlers of signals begin: the stack pointer is at a struct signal_frame, in which the general registers are.
 * Those of SIMD and floating point are saved here, around all C code. The way back is a request to root, made without C,
 * since it must leave the IPC buffer as signal_dispatch() restored it.
 */
#include <arch/signal_trampoline.h>

#define FP_BYTES 512 /* of FXSAVE */

    .section .text.signal_trampoline, "ax"
    .global signal_trampoline
    .type signal_trampoline, @function
signal_trampoline:
    mov     %rsp, %rbx
    sub     $FP_BYTES, %rsp
    and     $-16, %rsp
    fxsave64 (%rsp)
    cld
    xor     %ebp, %ebp
    mov     %rbx, %rdi
    call    signal_dispatch
    fxrstor64 (%rsp)
    mov     %rax, %r10
    mov     %rbx, %rdx
    mov     $SIGNAL_RETURN_SLOT, %edi
    movabs  $(SIGNAL_RETURN_OPERATION << 32), %rsi
    mov     $SIGNAL_RETURN_CALL, %eax
    syscall
    ud2
    .size signal_trampoline, . - signal_trampoline

    .section .note.GNU-stack, "", %progbits
