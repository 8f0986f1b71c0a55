/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of the address space. Included by C, by assembly and by linker scripts, so it holds plain
 * macros only.
 *
 *   DIRECT_BASE  all RAM, and device registers that the kernel uses, at base + physical address: never executable;
 *                the kernel image's own pages are left out of it, so nothing writable aliases them
 *   KERNEL_BASE  the kernel image: text (read, execute), rodata (read), data (read, write)
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#ifdef __ASSEMBLER__
#define LAYOUT_U64(x) x
#else
#define LAYOUT_U64(x) x##UL
#endif

#define DIRECT_BASE       LAYOUT_U64(0xffff800000000000)
#define DIRECT_SIZE       LAYOUT_U64(0x8000000000)
#define DEVICE_BASE       LAYOUT_U64(0xffff900000000000) /* device registers at base + physical address, 512 GiB */
#define KERNEL_BASE       LAYOUT_U64(0xffffffff80000000)
#define KERNEL_STACK_SIZE 16384

#endif
