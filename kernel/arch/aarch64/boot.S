/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C. The image begins with the header of the arm64 boot protocol and may lie at any 2 MiB
 * boundary; entry is at EL2 or EL1 with the MMU off and x0 = physical address of the device tree. The boot CPU fills
 * the tables below, one page of the image at a time so that each part has its own rights, goes on at KERNEL_BASE and
 * calls boot_main(). Other CPUs come in at secondary_entry with x0 = their number and use the same tables.
 *
 * Until the MMU is on nothing here may use a symbol but relative to the program counter.
 */
#include <arch/mmu.h>

    /* Entries: leaf pages of normal memory, accessed, inner shareable, never executable by user mode. */
    .equ PAGE_NORMAL, 0x703
    .equ BLOCK_NORMAL, 0x701
    .equ READ_ONLY, 1 << 7
    .equ KERNEL_NO_EXECUTE, 1 << 53
    .equ USER_NO_EXECUTE, 1 << 54
    .equ PAGE_TEXT, PAGE_NORMAL | READ_ONLY | USER_NO_EXECUTE
    .equ PAGE_RODATA, PAGE_TEXT | KERNEL_NO_EXECUTE
    .equ PAGE_DATA, PAGE_NORMAL | USER_NO_EXECUTE | KERNEL_NO_EXECUTE
    .equ BLOCK_IDENTITY, BLOCK_NORMAL | READ_ONLY | USER_NO_EXECUTE
    .equ TABLE, 3

    /* Both halves: 48 bits, 4 KiB granule, walks write-back inner shareable. A1 = 0: the identifier is TTBR0's. */
    .equ TCR_FIXED, (16 << 0) | (1 << 8) | (1 << 10) | (3 << 12) | (16 << 16) | (1 << 24) | (1 << 26) | (3 << 28) | (2 << 30)
    .equ TCR_IPS_SHIFT, 32
    .equ TCR_IPS_48_BITS, 5
    .equ TCR_AS, 1 << 36

    .equ SCTLR_MUST_BE_ONE, (1 << 29) | (1 << 28) | (1 << 23) | (1 << 22) | (1 << 20) | (1 << 11)
    .equ SCTLR_M, 1 << 0
    .equ SCTLR_C, 1 << 2
    .equ SCTLR_SA, 1 << 3
    .equ SCTLR_SA0, 1 << 4
    .equ SCTLR_I, 1 << 12
    .equ SCTLR_DZE, 1 << 14
    .equ SCTLR_UCT, 1 << 15
    .equ SCTLR_NTWI, 1 << 16
    .equ SCTLR_NTWE, 1 << 18
    .equ SCTLR_UCI, 1 << 26
    /* User mode may clear by DC ZVA, maintain caches and wait; WXN stays off, for it would bind user mode as well. */
    .equ SCTLR_ON, SCTLR_MUST_BE_ONE | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_I | SCTLR_DZE | SCTLR_UCT | SCTLR_NTWI | SCTLR_NTWE | SCTLR_UCI

    .equ CNTKCTL_VIRTUAL_COUNTER, 1 << 1
    .equ MPIDR_AFFINITY_MASK, 0xff00ffffff
    .equ CPUS_LIMIT, 8
    .equ CURRENT_EL2, 2 << 2
    .equ SPSR_EL1_MASKED, 0x3c5

    .macro physical register, symbol
    adrp \register, \symbol
    add \register, \register, :lo12:\symbol
    .endm

    .section .text.boot, "ax"
    .global image_header
image_header:
    b boot_entry
    .long 0
    .quad 0             /* offset from the 2 MiB boundary */
    .quad __image_size  /* with bss */
    .quad 0xa           /* little-endian, 4 KiB pages, anywhere in memory */
    .quad 0
    .quad 0
    .quad 0
    .ascii "ARM\x64"
    .long 0

boot_entry:
    mov x19, x0
    msr daifset, #0xf
    bl leave_el2
    physical x20, __image_start

    /* Lines of the tables that a boot loader left in the cache must neither hide nor overwrite what comes now. */
    bl invalidate_tables
    physical x1, __boot_tables_start
    physical x2, __boot_tables_end
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b
    bl fill_tables
    bl invalidate_tables

    ldr x1, =boot_high
    b enable_mmu

secondary_entry:
    .global secondary_entry
    mov x19, x0
    msr daifset, #0xf
    bl leave_el2
    ldr x1, =secondary_high
    b enable_mmu

secondary_entry_by_affinity:
    .global secondary_entry_by_affinity
    msr daifset, #0xf
    bl leave_el2
    ldr x1, =secondary_find
    b enable_mmu

/* Returns to the caller at EL1, with registers that EL1 owns in a known state and nothing trapping to EL2. x1, x2 are
 * lost. */
leave_el2:
    ldr x1, =SCTLR_MUST_BE_ONE
    msr sctlr_el1, x1
    isb
    mrs x1, CurrentEL
    cmp x1, #CURRENT_EL2
    b.ne 3f

    mov x1, #1 << 31            /* EL1 is 64-bit */
    msr hcr_el2, x1
    isb
    mov x1, #3                  /* EL1 may use the physical counter and timer */
    msr cnthctl_el2, x1
    msr cntvoff_el2, xzr
    mov x1, #0x33ff             /* no trap of FP */
    msr cptr_el2, x1
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    mrs x1, midr_el1
    msr vpidr_el2, x1
    mrs x1, mpidr_el1
    msr vmpidr_el2, x1

    /* All event counters are EL1's, if there are any. */
    mrs x1, id_aa64dfr0_el1
    ubfx x1, x1, #8, #4
    cbz x1, 1f
    cmp x1, #15
    csel x1, xzr, x1, eq
    cbz x1, 1f
    mrs x1, pmcr_el0
    ubfx x1, x1, #11, #5
1:  msr mdcr_el2, x1

    /* The interrupt controller's system registers, where the CPU has them. */
    mrs x1, id_aa64pfr0_el1
    ubfx x1, x1, #24, #4
    cbz x1, 2f
    mrs x1, s3_4_c12_c9_5       /* ICC_SRE_EL2: use them, and let EL1 */
    mov x2, #9
    orr x1, x1, x2
    msr s3_4_c12_c9_5, x1
    isb
    mrs x1, s3_4_c12_c9_5
    tbz x1, #0, 2f
    msr s3_4_c12_c11_0, xzr     /* ICH_HCR_EL2 */
2:  mov x1, #SPSR_EL1_MASKED
    msr spsr_el2, x1
    msr elr_el2, x30
    isb
    eret
3:  msr spsel, #1
    ret

/* Drops the tables' lines from all caches to memory's point of view. x1..x4 are lost. */
invalidate_tables:
    dmb sy
    physical x1, __boot_tables_start
    physical x2, __boot_tables_end
    mrs x3, ctr_el0
    ubfx x3, x3, #16, #4
    mov x4, #4
    lsl x3, x4, x3
1:  dc ivac, x1
    add x1, x1, x3
    cmp x1, x2
    b.lo 1b
    dsb sy
    ret

/* x20: where the image is. x1..x9 are lost. */
fill_tables:
    mov x9, x30
    physical x6, image_pages
    physical x1, __text_start
    physical x2, __text_end
    ldr x3, =PAGE_TEXT
    bl map_image
    physical x1, __root_start
    physical x2, __rodata_end
    ldr x3, =PAGE_RODATA
    bl map_image
    physical x1, __data_start
    physical x2, __image_end
    ldr x3, =PAGE_DATA
    bl map_image

    /* KERNEL_BASE: entry 511 of the top, 510 of the next, 0 and up of the third. */
    physical x1, image_level2
    mov x2, #IMAGE_TABLES_MAX
    orr x3, x6, #TABLE
1:  str x3, [x1], #8
    add x3, x3, #4096
    subs x2, x2, #1
    b.ne 1b
    physical x1, image_level2
    orr x1, x1, #TABLE
    physical x2, image_level1
    str x1, [x2, #510 * 8]
    orr x2, x2, #TABLE
    physical x3, kernel_top_table
    str x2, [x3, #511 * 8]

    /* The identity map: the 2 MiB around the instruction that turns the MMU on. */
    physical x1, enable_mmu
    physical x2, identity_top
    physical x3, identity_level1
    physical x4, identity_level2
    orr x5, x3, #TABLE
    ubfx x6, x1, #39, #9
    str x5, [x2, x6, lsl #3]
    orr x5, x4, #TABLE
    ubfx x6, x1, #30, #9
    str x5, [x3, x6, lsl #3]
    ubfx x6, x1, #21, #9
    and x1, x1, #~0x1fffff
    ldr x5, =BLOCK_IDENTITY
    orr x5, x5, x1
    str x5, [x4, x6, lsl #3]
    ret x9

/* Maps the image's pages [x1, x2) with attributes x3; x6: image_pages, x20: the image. x4, x5 are lost. */
map_image:
    sub x4, x1, x20
    add x4, x6, x4, lsr #9
1:  cmp x1, x2
    b.hs 2f
    orr x5, x1, x3
    str x5, [x4], #8
    add x1, x1, #4096
    b 1b
2:  ret

/* Goes on at the virtual address x1. x2..x5 are lost. */
enable_mmu:
    ldr x2, =MAIR_VALUE
    msr mair_el1, x2
    ldr x2, =TCR_FIXED
    mrs x3, id_aa64mmfr0_el1
    and x4, x3, #0xf            /* physical address size, but no more than our entries hold */
    cmp x4, #TCR_IPS_48_BITS
    mov x5, #TCR_IPS_48_BITS
    csel x4, x5, x4, hi
    orr x2, x2, x4, lsl #TCR_IPS_SHIFT
    ubfx x4, x3, #4, #4         /* identifiers of 16 bits */
    cmp x4, #2
    b.ne 1f
    orr x2, x2, #TCR_AS
1:  msr tcr_el1, x2
    physical x2, identity_top
    msr ttbr0_el1, x2
    physical x2, kernel_top_table
    msr ttbr1_el1, x2

    msr cpacr_el1, xzr          /* FP traps everywhere until the kernel proper decides */
    mov x2, #CNTKCTL_VIRTUAL_COUNTER
    msr cntkctl_el1, x2
    msr mdscr_el1, xzr
    msr contextidr_el1, xzr
    msr tpidr_el1, xzr
    isb
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    ldr x2, =SCTLR_ON
    msr sctlr_el1, x2
    isb
    br x1

    .ltorg

/* From here on addresses are those of the link. */
    .text
    .macro drop_identity
    physical x1, empty_table
    physical x2, kernel_image_offset
    ldr x2, [x2]
    sub x1, x1, x2
    msr ttbr0_el1, x1
    isb
    tlbi vmalle1
    dsb nsh
    isb
    .endm

boot_high:
    physical x1, __bss_start
    physical x2, __boot_tables_start
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b
    ldr x1, =KERNEL_BASE
    sub x1, x1, x20
    physical x2, kernel_image_offset
    str x1, [x2]
    drop_identity
    physical x1, arch_vectors
    msr vbar_el1, x1
    physical x1, kernel_stacks
    ldr x2, =KERNEL_STACK_SIZE
    add sp, x1, x2
    mov x0, x19
    mov x29, xzr
    bl boot_main
    brk #0

/* Which number has this CPU? The table can be read only from here on, because it is in the cache of the one that wrote
 * it. Who is not in it has no business here. */
secondary_find:
    mrs x1, mpidr_el1
    ldr x2, =MPIDR_AFFINITY_MASK
    and x1, x1, x2
    physical x2, cpu_affinities
    mov x19, xzr
1:  ldr x3, [x2, x19, lsl #3]
    cmp x3, x1
    b.eq secondary_high
    add x19, x19, #1
    cmp x19, #CPUS_LIMIT
    b.lo 1b
2:  wfe
    b 2b

secondary_high:
    drop_identity
    physical x1, arch_vectors
    msr vbar_el1, x1
    physical x1, kernel_stacks
    ldr x2, =KERNEL_STACK_SIZE
    add x3, x19, #1
    madd x1, x3, x2, x1
    mov sp, x1
    mov x0, x19
    mov x29, xzr
    bl kernel_secondary_main
    brk #0

    .ltorg

    /* Cleared at the start of boot, not with the rest of bss. */
    .section .boot_tables, "aw", %nobits
    .balign 4096
    .global kernel_top_table
    .global empty_table
kernel_top_table:
    .skip 4096
image_level1:
    .skip 4096
image_level2:
    .skip 4096
image_pages:
    .skip 4096 * IMAGE_TABLES_MAX
identity_top:
    .skip 4096
identity_level1:
    .skip 4096
identity_level2:
    .skip 4096
empty_table:
    .skip 4096

    .section .note.GNU-stack, "", %progbits
