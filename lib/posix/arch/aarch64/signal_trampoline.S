/* SPDX-License-Identifier: MIT */
/*
 * Where handlers of signals begin: the stack pointer is at a struct signal_frame, in which the general registers are.
 * Those of SIMD and floating point are saved here, around all C code. The way back is a request to root, made without C,
 * since it must leave the IPC buffer as signal_dispatch() restored it.
 */
#include <arch/signal_trampoline.h>

#define FP_BYTES 528 /* q0..q31, fpcr, fpsr */

.macro fp_registers operation
    \operation q0, q1, [sp, #0]
    \operation q2, q3, [sp, #32]
    \operation q4, q5, [sp, #64]
    \operation q6, q7, [sp, #96]
    \operation q8, q9, [sp, #128]
    \operation q10, q11, [sp, #160]
    \operation q12, q13, [sp, #192]
    \operation q14, q15, [sp, #224]
    \operation q16, q17, [sp, #256]
    \operation q18, q19, [sp, #288]
    \operation q20, q21, [sp, #320]
    \operation q22, q23, [sp, #352]
    \operation q24, q25, [sp, #384]
    \operation q26, q27, [sp, #416]
    \operation q28, q29, [sp, #448]
    \operation q30, q31, [sp, #480]
.endm

    .section .text.signal_trampoline, "ax"
    .global signal_trampoline
    .type signal_trampoline, %function
signal_trampoline:
    mov     x19, sp
    sub     sp, sp, #FP_BYTES
    fp_registers stp
    mrs     x0, fpcr
    mrs     x1, fpsr
    str     x0, [sp, #512]
    str     x1, [sp, #520]
    mov     x29, #0
    mov     x30, #0
    mov     x0, x19
    bl      signal_dispatch
    mov     x3, x0
    ldr     x0, [sp, #512]
    ldr     x1, [sp, #520]
    msr     fpcr, x0
    msr     fpsr, x1
    fp_registers ldp
    mov     x0, #SIGNAL_RETURN_SLOT
    mov     x1, #SIGNAL_RETURN_OPERATION
    lsl     x1, x1, #32
    mov     x2, x19
    svc     #SIGNAL_RETURN_CALL
    brk     #0
    .size signal_trampoline, . - signal_trampoline

    .section .note.GNU-stack, "", %progbits
