/* SPDX-License-Identifier: MIT */
/* Copying many bytes: see <quire/copy.h>. The processor's own instruction does it by lines. */
    .global copy_bytes
    .type copy_bytes, @function
copy_bytes:
    mov     %rdi, %rax
    mov     %rdx, %rcx
    rep movsb
    ret
    .size copy_bytes, . - copy_bytes

    .section .note.GNU-stack, "", %progbits
