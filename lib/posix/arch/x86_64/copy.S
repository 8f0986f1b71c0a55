/* SPDX-License-Identifier: MIT */
/* Copying many bytes: see <quire/copy.h>. The processor's own instruction does it by lines, if it has words to copy; the last
 * one overlaps the one before. */
    .global copy_bytes
    .type copy_bytes, @function
copy_bytes:
    mov     %rdi, %rax
    mov     %rdx, %rcx
    cmp     $8, %rdx
    jb      1f
    mov     -8(%rsi, %rdx), %r8
    lea     -8(%rdi, %rdx), %r9
    shr     $3, %rcx
    rep movsq
    mov     %r8, (%r9)
    ret
1:  rep movsb
    ret
    .size copy_bytes, . - copy_bytes

    .section .note.GNU-stack, "", %progbits
