/* SPDX-License-Identifier: MIT */
/*
 * The form of root, which the kernel image carries: a flat binary for ROOT_IMAGE_ADDRESS, text then rodata then data,
 * each page-aligned and following the one before; data includes bss and the stack, as zeroes in the file. The first
 * segment begins with this header. servers/root/root.ld makes it, so it holds plain macros besides the structure.
 */
#ifndef KERNEL_ROOT_IMAGE_H
#define KERNEL_ROOT_IMAGE_H

#define ROOT_IMAGE_ADDRESS 0x400000
#define ROOT_IMAGE_MAGIC   0x746f6f7265726975 /* "uireroot", little-endian */

#ifndef __ASSEMBLER__

#include <stdint.h>

struct root_image_header {
    uint64_t magic;
    uint64_t text_size, rodata_size, data_size; /* bytes, multiples of the page; text includes this header */
    uint64_t entry;                             /* first instruction */
    uint64_t stack_top;                         /* initial stack pointer: finds argc = 0 and two null pointers */
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct root_image_header) == 64, "root.ld writes eight words");

#endif
#endif
