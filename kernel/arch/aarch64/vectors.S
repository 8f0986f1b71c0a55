/* SPDX-License-Identifier: MIT */
/*
 * Exception entry and exit. While a thread runs in user mode, SP_EL1 points at its struct context, so entry stores the
 * registers without touching any other; C code then runs on the CPU's own stack and returns the thread to go on with.
 */
#include <arch/context.h>

/* Exception class 0x15 and the 32-bit instruction bit, with an immediate of 0. */
#define ESR_SVC 0x56000000
/* Of struct panic_frame. */
#define PANIC_FRAME_SIZE 288
#define PANIC_STACK_SIZE 4096

    .macro save_x2_to_x29 base
    stp x2, x3, [\base, #16]
    stp x4, x5, [\base, #32]
    stp x6, x7, [\base, #48]
    stp x8, x9, [\base, #64]
    stp x10, x11, [\base, #80]
    stp x12, x13, [\base, #96]
    stp x14, x15, [\base, #112]
    stp x16, x17, [\base, #128]
    stp x18, x19, [\base, #144]
    stp x20, x21, [\base, #160]
    stp x22, x23, [\base, #176]
    stp x24, x25, [\base, #192]
    stp x26, x27, [\base, #208]
    stp x28, x29, [\base, #224]
    .endm

    .macro save_user
    stp x0, x1, [sp, #0]
    save_x2_to_x29 sp
    mrs x10, sp_el0
    mrs x11, elr_el1
    mrs x12, spsr_el1
    stp x30, x10, [sp, #240]
    stp x11, x12, [sp, #CONTEXT_PC]
    .endm

    /* x0: the thread; the CPU's stack. The frame pointer ends the backtrace here. */
    .macro enter_kernel
    mrs x9, tpidr_el1
    sub x0, sp, #THREAD_CONTEXT
    ldr x9, [x9, #CPU_STACK_TOP]
    mov x29, xzr
    mov sp, x9
    .endm

    .macro vector name
    .balign 0x80
\name:
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
    .global arch_vectors
arch_vectors:
    /* From the kernel on SP_EL0, which it never uses; then on its own stack: all are bugs. */
    .rept 8
    .balign 0x80
    b kernel_exception
    .endr
    vector user_sync
    save_user
    enter_kernel
    mrs x1, esr_el1
    b user_sync_decide
    vector user_irq
    save_user
    enter_kernel
    bl trap_irq
    b arch_run
    vector user_fiq
    save_user
    enter_kernel
    bl trap_irq
    b arch_run
    vector user_serror
    save_user
    enter_kernel
    mrs x1, esr_el1
    bl trap_serror
    b arch_run
    /* 32-bit user mode is never entered. */
    .rept 4
    .balign 0x80
    b kernel_exception
    .endr

    .text
    .global arch_run
    .balign 64
    /* SVC #SYS_CALL and SVC #SYS_REPLY_RECV, 1 and 2, go straight to their fast path. */
user_sync_decide:
    mov w2, #ESR_SVC
    sub w2, w1, w2
    cmp w2, #2
    b.eq 2f
    cmp w2, #1
    b.ne 1f
    bl trap_call
    b arch_run
1:  bl trap_sync
    b arch_run
2:  bl trap_reply_recv
    /* Falls through. */
arch_run:
    add sp, x0, #THREAD_CONTEXT
    ldp x11, x12, [sp, #CONTEXT_PC]
    ldp x30, x10, [sp, #240]
    msr elr_el1, x11
    msr spsr_el1, x12
    msr sp_el0, x10
    ldp x0, x1, [sp, #0]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    eret

    /* Everything there is to know goes into one static frame, and the report has a stack of its own behind it: the CPU's
     * may be what broke, and what is on it is part of the report. */
kernel_exception:
    msr tpidrro_el0, x0
    adrp x0, kernel_exception_frame
    add x0, x0, :lo12:kernel_exception_frame
    save_x2_to_x29 x0
    mov x3, sp
    stp x30, x3, [x0, #240]
    mrs x2, tpidrro_el0
    stp x2, x1, [x0, #0]
    mrs x1, elr_el1
    mrs x2, spsr_el1
    stp x1, x2, [x0, #256]
    mrs x1, esr_el1
    mrs x2, far_el1
    stp x1, x2, [x0, #272]
    add x9, x0, #PANIC_STACK_SIZE
    add x9, x9, #PANIC_FRAME_SIZE
    mov sp, x9
    bl panic_trap
    b .

    /* panic(format, ...): the registers as the caller left them, in a struct panic_frame on the stack, and behind it a
     * va_list for the arguments, of which those in x1..x7 are in the frame. */
    .global panic
    .type panic, %function
panic:
    sub sp, sp, #(PANIC_FRAME_SIZE + 32)
    stp x0, x1, [sp, #0]
    save_x2_to_x29 sp
    add x9, sp, #(PANIC_FRAME_SIZE + 32)
    stp x30, x9, [sp, #240]
    stp x30, xzr, [sp, #256]
    stp xzr, xzr, [sp, #272]
    add x10, sp, #64
    mov w11, #-56
    stp x9, x10, [sp, #PANIC_FRAME_SIZE]
    str x10, [sp, #(PANIC_FRAME_SIZE + 16)]
    str x11, [sp, #(PANIC_FRAME_SIZE + 24)]
    mov x1, x0
    mov x0, sp
    add x2, sp, #PANIC_FRAME_SIZE
    bl panic_called
    b .
    .size panic, . - panic

    .bss
    .balign 16
    .global kernel_exception_frame
kernel_exception_frame:
    .skip PANIC_FRAME_SIZE + PANIC_STACK_SIZE
