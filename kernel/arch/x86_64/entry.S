/* SPDX-License-Identifier: MIT */
/*
 * Entry and exit. While a thread runs in user mode the stack of its CPU's task segment ends at the end of its struct
 * context, so what the machine pushes is a part of it already; SYSCALL, which pushes nothing, does the same by hand. C
 * code then runs on the CPU's own stack and returns the thread to go on with.
 */
#include <arch/cpu.h>

#define VECTOR_IRQ_FIRST 32
#define VECTOR_DEBUG     1
#define FLAG_TRAP        0x100
#define FLAG_INTERRUPTS  0x200
#define NOT_CANONICAL    0xffff800000000000

    .macro push_registers
    push %r11
    push %rcx
    push %rbp
    push %rbx
    push %rax
    push %r15
    push %r14
    push %r13
    push %r12
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    .endm

    .macro pop_registers_to_rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    pop %rax
    pop %rbx
    pop %rbp
    .endm

    /* rdi: the thread; the CPU's stack. The frame pointer ends the backtrace here. */
    .macro enter_kernel
    lea -THREAD_CONTEXT(%rsp), %rdi
    mov %gs:ARCH_CPU_STACK_TOP, %rsp
    xor %ebp, %ebp
    cld
    .endm

    .text
    .balign 64
    .global arch_syscall_entry
arch_syscall_entry:
    swapgs
    mov %rsp, %gs:ARCH_CPU_USER_SP
    mov %gs:(ARCH_CPU_TASK + TASK_STACK), %rsp
    push $SELECTOR_USER_DATA
    push %gs:ARCH_CPU_USER_SP
    push %r11
    push $SELECTOR_USER_CODE
    push %rcx
    push $0
    push $VECTOR_SYSCALL
    push_registers
    enter_kernel
    /* SYS_CALL and SYS_REPLY_RECV, 1 and 2, go straight to their fast path. */
    cmp $1, %eax
    jne 1f
    call trap_call
    jmp run
1:  cmp $2, %eax
    jne 2f
    call trap_reply_recv
    jmp run
2:  mov %eax, %esi
    call trap_syscall
    jmp run

    .balign 64
    .global arch_run
arch_run:
    mov %rdi, %rax
run:
    lea THREAD_CONTEXT_END(%rax), %rcx
    mov %rcx, %gs:(ARCH_CPU_TASK + TASK_STACK)
    lea THREAD_CONTEXT(%rax), %rsp
    mov CONTEXT_PC(%rsp), %rcx
    mov %rcx, %rax
    shr $47, %rax
    jnz 2f
    cmpl $VECTOR_SYSCALL, CONTEXT_VECTOR(%rsp)
    jne 1f
    /* From here SYSRET cannot fail: the address is the user's. */
    pop_registers_to_rbp
    mov 48(%rsp), %r11
    mov 56(%rsp), %rsp
    swapgs
    sysretq
1:  pop_registers_to_rbp
    pop %rcx
    pop %r11
    add $16, %rsp
    swapgs
    iretq
    /* No address of a user's. IRET must not see it if it is not canonical; of the kernel's, where this puts it, the
     * user's next instruction fetch faults. */
2:  movabs $NOT_CANONICAL, %rax
    or %rax, CONTEXT_PC(%rsp)
    jmp 1b

    /* A stub for each vector: the machine pushes an error code for some. */
    .balign 16
    .global arch_vector_stubs
arch_vector_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 && vector != 21
    push $0
    .endif
    .if vector == 2 || vector == 8 || vector == 18
    push $vector
    jmp fatal_entry
    .elseif vector == VECTOR_DEBUG
    push $vector
    jmp debug_entry
    .else
    push $vector
    jmp vector_entry
    .endif
    .set vector, vector + 1
    .endr

vector_entry:
    testb $3, 24(%rsp)
    jz from_kernel
    swapgs
user_vector:
    push_registers
    enter_kernel
    /* Nops where the machine has no SMAP. */
    .global arch_clac
arch_clac:
    clac
    call trap_vector
    jmp run

    /* On a stack of its own. From user mode: the stack is changed for the one of all other vectors. From the kernel: a user has
     * managed that what he asked to be told of, a step or an access, is told of at the kernel's first instruction, whose stack and
     * GS are still his. Nothing of that is looked at, and no more is told. */
debug_entry:
    testb $3, 24(%rsp)
    jz 1f
    swapgs
    mov %rax, %gs:ARCH_CPU_USER_SP
    mov %rsp, %rax
    mov %gs:(ARCH_CPU_TASK + TASK_STACK), %rsp
    .irp place, 48, 40, 32, 24, 16, 8, 0
    push \place(%rax)
    .endr
    mov %gs:ARCH_CPU_USER_SP, %rax
    jmp user_vector
1:  push %rax
    xor %eax, %eax
    mov %rax, %dr7
    mov %rax, %dr6
    andq $~FLAG_TRAP, 40(%rsp)
    pop %rax
    add $16, %rsp
    iretq

    /* The kernel lets interrupts in where it idles, and nowhere else: the vector is noted, and they are out again. */
from_kernel:
    cmpq $VECTOR_IRQ_FIRST, (%rsp)
    jb kernel_exception
    push %rax
    mov 8(%rsp), %rax
    mov %rax, %gs:ARCH_CPU_VECTOR
    andq $~FLAG_INTERRUPTS, 40(%rsp)
    pop %rax
    add $16, %rsp
    iretq

    /* On a stack of its own, and from anywhere, the kernel's ways in and out included, where GS is still or already the user's,
     * who may have put any address there: so neither CS nor GS tell, but the stack does. */
fatal_entry:
    push_registers
    mov %rsp, %rax
    and $-FATAL_STACK_SIZE, %rax
    mov FATAL_STACK_CPU(%rax), %rax
    wrgsbase %rax
    jmp 1f
kernel_exception:
    push_registers
1:  mov %cr2, %rax
    push %rax
    mov %rsp, %rdi
    and $-16, %rsp
    cld
    call panic_trap
2:  jmp 2b

    /* panic(format, ...): the registers as the caller left them, in a struct panic_frame, and a va_list for the
     * arguments. */
    .global panic
    .type panic, @function
panic:
    lea 8(%rsp), %r11
    push $0
    push %r11
    pushfq
    push $0
    push -8(%r11)
    push $0
    push $0
    push_registers
    push $0
    mov %rsp, %r10
    push %r9
    push %r8
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    mov %rsp, %rax
    push %rax
    push %r11
    movabs $(48 << 32 | 8), %rax
    push %rax
    mov %rdi, %rsi
    mov %r10, %rdi
    mov %rsp, %rdx
    and $-16, %rsp
    call panic_called
1:  jmp 1b
    .size panic, . - panic

    .section .note.GNU-stack, "", %progbits
