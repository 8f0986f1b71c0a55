/* SPDX-License-Identifier: MIT */
/* memset() without FP registers, in the place of newlib's: a server, or a program that only clears some structure, would
 * otherwise have them saved and loaded at its switches. */
    .global memset
    .type memset, @function
memset:
    mov     %rdi, %r8
    movzbl  %sil, %eax
    mov     %rdx, %rcx
    movabs  $0x0101010101010101, %r9
    imul    %r9, %rax
    shr     $3, %rcx
    rep stosq
    mov     %edx, %ecx
    and     $7, %ecx
    rep stosb
    mov     %r8, %rax
    ret
    .size memset, . - memset

    .section .note.GNU-stack, "", %progbits
