/* SPDX-License-Identifier: MIT */
/* Copying many bytes: see <quire/copy.h>. By blocks of 256 bytes; the last block is counted from the end, so that it may
 * overlap the one before it. */
    .global copy_bytes
    .type copy_bytes, %function
copy_bytes:
    cmp x2, #256
    b.lo memcpy
    add x3, x0, x2
    add x4, x1, x2
    subs x2, x2, #256
    b.eq 2f
1:  ldp q0, q1, [x1]
    ldp q2, q3, [x1, #32]
    ldp q4, q5, [x1, #64]
    ldp q6, q7, [x1, #96]
    ldp q16, q17, [x1, #128]
    ldp q18, q19, [x1, #160]
    ldp q20, q21, [x1, #192]
    ldp q22, q23, [x1, #224]
    add x1, x1, #256
    stp q0, q1, [x0]
    stp q2, q3, [x0, #32]
    stp q4, q5, [x0, #64]
    stp q6, q7, [x0, #96]
    stp q16, q17, [x0, #128]
    stp q18, q19, [x0, #160]
    stp q20, q21, [x0, #192]
    stp q22, q23, [x0, #224]
    add x0, x0, #256
    subs x2, x2, #256
    b.hi 1b
2:  ldp q0, q1, [x4, #-256]
    ldp q2, q3, [x4, #-224]
    ldp q4, q5, [x4, #-192]
    ldp q6, q7, [x4, #-160]
    ldp q16, q17, [x4, #-128]
    ldp q18, q19, [x4, #-96]
    ldp q20, q21, [x4, #-64]
    ldp q22, q23, [x4, #-32]
    stp q0, q1, [x3, #-256]
    stp q2, q3, [x3, #-224]
    stp q4, q5, [x3, #-192]
    stp q6, q7, [x3, #-160]
    stp q16, q17, [x3, #-128]
    stp q18, q19, [x3, #-96]
    stp q20, q21, [x3, #-64]
    stp q22, q23, [x3, #-32]
    ret
    .size copy_bytes, . - copy_bytes
