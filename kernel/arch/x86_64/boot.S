/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C. QEMU and other virtual machine monitors enter at pvh_entry, as the note below says, and
 * boot loaders on PCs at multiboot2_entry, as the header says: 32-bit protected mode, flat segments, paging off, ebx =
 * physical address of what the loader says, for multiboot2 with its number in eax. The boot CPU fills tables
 * that show the lowest 4 GiB where they are and the first of them at KERNEL_BASE as well, goes on there and calls
 * boot_main(), which makes better tables. Other CPUs come from real mode, through the page that secondary_trampoline is
 * copied to, and use the same tables on their way.
 *
 * Until paging is on, nothing here may use a symbol but less KERNEL_BASE.
 */
#include <arch/cpu.h>
#include <arch/mmu.h>

#define PHYSICAL(symbol) (symbol - KERNEL_BASE)

#define PAGE_TABLE       0x3  /* present, writable */
#define PAGE_HUGE        0x83 /* and 2 MiB */
#define CR4_PAE          (1 << 5)
#define CR0_ON           0x80010001 /* paging, write protection in the kernel, protected mode */
#define MSR_EFER         0xc0000080
#define EFER_LONG_NX     0x901 /* long mode, no-execute, SYSCALL */
#define BOOT_CODE_32     0x08
#define BOOT_DATA        0x10
#define BOOT_CODE_64     0x18

#define MULTIBOOT2_HEADER  0xe85250d6
#define MULTIBOOT2_I386    0
#define HEADER_END         0
#define HEADER_REQUEST     1
#define HEADER_ENTRY       3
#define HEADER_ALIGN       6 /* modules begin on pages */
#define INFORMATION_MEMORY 6

    /* Goes on in long mode at `target`, less KERNEL_BASE. Whatever the loader has turned on is off then, five levels of tables
     * among it. */
    .macro enter_long target
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $PHYSICAL(boot_top), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LONG_NX, %eax
    wrmsr
    mov $CR0_ON, %eax
    mov %eax, %cr0
    ljmp $BOOT_CODE_64, $PHYSICAL(\target)
    .endm

    /* "Xen", type 18: the physical address of a 32-bit entry. */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long PHYSICAL(pvh_entry)

    .section .text.boot, "ax"
    .balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER, MULTIBOOT2_I386, multiboot2_header_end - multiboot2_header
    .long -(MULTIBOOT2_HEADER + MULTIBOOT2_I386 + (multiboot2_header_end - multiboot2_header))
    .short HEADER_REQUEST, 0
    .long 12, INFORMATION_MEMORY, 0
    .short HEADER_ENTRY, 0
    .long 12, PHYSICAL(multiboot2_entry), 0
    .short HEADER_ALIGN, 0
    .long 8
    .short HEADER_END, 0
    .long 8
multiboot2_header_end:

    .code32
    .global pvh_entry
pvh_entry:
    xor %eax, %eax
multiboot2_entry:
    cli
    mov %eax, %ebp
    cld
    mov $PHYSICAL(__bss_start), %edi
    mov $PHYSICAL(__bss_end), %ecx
    sub %edi, %ecx
    shr $2, %ecx
    xor %eax, %eax
    rep stosl

    /* The tables: 2 MiB pages for all of the lowest GiB, and the two ways to them. */
    mov $PHYSICAL(boot_level2), %edi
    mov $PAGE_HUGE, %eax
    xor %edx, %edx
1:  mov %eax, (%edi)
    mov %edx, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b
    mov $PHYSICAL(boot_level1), %edi
    mov $(PHYSICAL(boot_level2) + PAGE_TABLE), %eax
    mov $BOOT_MAP_GIBIBYTES, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    loop 2b
    movl $(PHYSICAL(boot_level2) + PAGE_TABLE), PHYSICAL(boot_high) + 510 * 8
    movl $(PHYSICAL(boot_level1) + PAGE_TABLE), PHYSICAL(boot_top)
    movl $(PHYSICAL(boot_high) + PAGE_TABLE), PHYSICAL(boot_top) + 511 * 8

    lgdt PHYSICAL(boot_descriptors_place)
    enter_long boot_64

    /* With the number of the CPU where cpus.c left it. */
secondary_32:
    mov $BOOT_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    enter_long secondary_64

    .code64
boot_64:
    mov $BOOT_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $boot_on, %rax
    jmp *%rax
boot_on:
    lea kernel_stacks + KERNEL_STACK_SIZE(%rip), %rsp
    mov %ebx, %edi
    mov %ebp, %esi
    xor %ebp, %ebp
    call boot_main
1:  jmp 1b

secondary_64:
    mov $secondary_on, %rax
    jmp *%rax
secondary_on:
    mov secondary_index(%rip), %edi
    mov $KERNEL_STACK_SIZE, %eax
    lea 1(%rdi), %ecx
    imul %rcx, %rax
    lea kernel_stacks(%rip), %rsp
    add %rax, %rsp
    xor %ebp, %ebp
    call boot_secondary
1:  jmp 1b

    /* In real mode, at the start of some page below 1 MiB. */
    .code16
    .global secondary_trampoline
    .global secondary_trampoline_end
secondary_trampoline:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl boot_descriptors_place - secondary_trampoline
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $BOOT_CODE_32, $PHYSICAL(secondary_32)
    .balign 8
boot_descriptors_place:
    .word boot_descriptors_end - boot_descriptors - 1
    .long PHYSICAL(boot_descriptors)
secondary_trampoline_end:
    .balign 8
boot_descriptors:
    .quad 0
    .quad 0x00cf9b000000ffff    /* BOOT_CODE_32 */
    .quad 0x00cf93000000ffff    /* BOOT_DATA */
    .quad 0x00af9b000000ffff    /* BOOT_CODE_64 */
boot_descriptors_end:
    .code64

    .bss
    .balign 4096
boot_top:
    .skip 4096
boot_level1:
    .skip 4096
boot_high:
    .skip 4096
boot_level2:
    .skip 4096 * BOOT_MAP_GIBIBYTES

    .section .note.GNU-stack, "", %progbits
