/* SPDX-License-Identifier: MIT */
/*
 * memset() without FP registers, in the place of newlib's: a server, or a program that only clears some structure, would
 * otherwise have them saved and loaded at its switches. Many zeros go by cache lines.
 */
    .global memset
    .type memset, %function
memset:
    and x1, x1, #0xff
    mov x3, #0x0101010101010101
    mul x1, x1, x3
    add x4, x0, x2          /* the end; stores before it may overlap those from the start */
    cmp x2, #16
    b.lo .Lfew
    cmp x2, #64
    b.hi .Lmany
    stp x1, x1, [x0]
    stp x1, x1, [x4, #-16]
    cmp x2, #32
    b.ls 1f
    stp x1, x1, [x0, #16]
    stp x1, x1, [x4, #-32]
1:  ret

.Lfew:
    tbz x2, #3, 1f
    str x1, [x0]
    str x1, [x4, #-8]
    ret
1:  tbz x2, #2, 1f
    str w1, [x0]
    str w1, [x4, #-4]
    ret
1:  cbz x2, 2f
    strb w1, [x0]
    tbz x2, #1, 2f
    strh w1, [x4, #-2]
2:  ret

.Lmany:
    stp x1, x1, [x0]
    stp x1, x1, [x0, #16]
    stp x1, x1, [x0, #32]
    stp x1, x1, [x0, #48]
    and x5, x0, #~63
    add x5, x5, #64         /* the first line that is not begun */
    sub x6, x4, #64
    cmp x2, #256
    ccmp x1, #0, #0, hs
    b.ne .Lblocks
    /* The instruction is allowed (bit 4 is clear) and zeroes 2^4 words. */
    mrs x7, dczid_el0
    and x7, x7, #0x1f
    cmp x7, #4
    b.ne .Lblocks
1:  dc zva, x5
    add x5, x5, #64
    cmp x5, x6
    b.ls 1b
    b .Ltail

1:  stp x1, x1, [x5]
    stp x1, x1, [x5, #16]
    stp x1, x1, [x5, #32]
    stp x1, x1, [x5, #48]
    add x5, x5, #64
.Lblocks:
    cmp x5, x6
    b.ls 1b
.Ltail:
    stp x1, x1, [x4, #-64]
    stp x1, x1, [x4, #-48]
    stp x1, x1, [x4, #-32]
    stp x1, x1, [x4, #-16]
    ret
    .size memset, . - memset
