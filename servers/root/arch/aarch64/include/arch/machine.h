/* SPDX-License-Identifier: MIT */
/* AArch64: the number of the machine in an ELF header. */
#ifndef ROOT_ARCH_MACHINE_H
#define ROOT_ARCH_MACHINE_H

#include <boot/elf.h>

#define ELF_MACHINE ELF_MACHINE_AARCH64

#endif
