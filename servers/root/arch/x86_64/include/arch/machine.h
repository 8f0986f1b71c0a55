/* SPDX-License-Identifier: MIT */
/* x86-64: the number of the machine in an ELF header. */
#ifndef ROOT_ARCH_MACHINE_H
#define ROOT_ARCH_MACHINE_H

#include <boot/elf.h>

#define ELF_MACHINE ELF_MACHINE_X86_64

#endif
