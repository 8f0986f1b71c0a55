/* SPDX-License-Identifier: MIT */
/*
 * Where handlers of signals begin: the stack pointer is at a struct signal_frame, in which the general registers are.
 * Those of SIMD and floating point are saved here, around all C code. The way back is a request to root, made without C,
 * since it must leave the IPC buffer as signal_dispatch() restored it.
 */
#include <arch/signal_trampoline.h>

#define FXSAVE_BYTES  512
#define FP_BYTES      832 /* of XSAVE, with its header and AVX */
#define FP_COMPONENTS 7   /* x87, SSE, AVX, those of them that the kernel has turned on */
#define FXSAVE_ALONE  1
#define FEATURE_XSAVE (1 << 27) /* leaf 1, ecx: the kernel has turned it on */

    .section .text.signal_trampoline, "ax"
    .global signal_trampoline
    .type signal_trampoline, @function
signal_trampoline:
    mov     %rsp, %r12
    sub     $FP_BYTES, %rsp
    and     $-64, %rsp
    mov     components(%rip), %r13d
    test    %r13d, %r13d
    jz      look
1:  cmp     $FXSAVE_ALONE, %r13d
    je      2f
    .irp place, 0, 8, 16, 24, 32, 40, 48, 56
    movq    $0, FXSAVE_BYTES + \place(%rsp)
    .endr
    mov     %r13d, %eax
    xor     %edx, %edx
    xsave64 (%rsp)
    jmp     3f
2:  fxsave64 (%rsp)
3:  cld
    xor     %ebp, %ebp
    mov     %r12, %rdi
    call    signal_dispatch
    mov     %rax, %r10
    cmp     $FXSAVE_ALONE, %r13d
    je      4f
    mov     %r13d, %eax
    xor     %edx, %edx
    xrstor64 (%rsp)
    jmp     5f
4:  fxrstor64 (%rsp)
5:  mov     %r12, %rdx
    mov     $SIGNAL_RETURN_SLOT, %edi
    movabs  $(SIGNAL_RETURN_OPERATION << 32), %rsi
    mov     $SIGNAL_RETURN_CALL, %eax
    syscall
    ud2

    /* Once in a program: CPUID takes long on virtual machines. */
look:
    mov     $1, %eax
    xor     %ecx, %ecx
    cpuid
    mov     $FXSAVE_ALONE, %r13d
    test    $FEATURE_XSAVE, %ecx
    jz      6f
    xor     %ecx, %ecx
    xgetbv
    and     $FP_COMPONENTS, %eax
    mov     %eax, %r13d
6:  mov     %r13d, components(%rip)
    jmp     1b
    .size signal_trampoline, . - signal_trampoline

    .local components
    .comm components, 4, 4

    .section .note.GNU-stack, "", %progbits
