/* SPDX-License-Identifier: MIT */
/*
 * Where every user program begins: the only assembly of user space. The stack pointer is at argc, then argv, a null,
 * the environment, a null. The frame pointer of 0 ends backtraces here.
 */
    .section .text._start, "ax"
    .global _start
    .type _start, @function
_start:
    xor     %ebp, %ebp
    mov     %rsp, %rdi
    and     $-16, %rsp
    call    program_start
    ud2
    .size _start, . - _start

    .section .note.GNU-stack, "", %progbits
