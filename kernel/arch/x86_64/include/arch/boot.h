/* SPDX-License-Identifier: MIT */
/* Between boot.S, boot.c and the platform's code that starts CPUs and reads what the boot loader says. */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <stdbool.h>
#include <stdint.h>

/* From boot.S, each on its CPU: the boot CPU, with the physical address of what the loader says and in which form, and
 * the others. */
__attribute__((noreturn)) void boot_main(uint64_t information, uint32_t protocol);
__attribute__((noreturn)) void boot_secondary(uint32_t index);

/* The forms: PVH's start information, or multiboot2's tags, whose loaders leave this number. */
#define BOOT_PROTOCOL_PVH        0u
#define BOOT_PROTOCOL_MULTIBOOT2 0x36d76289u

/* The platform's: reads what the loader says at a physical address, finds out what the machine has, and writes a device
 * tree of it to memory: machine.tree_base and machine.tree_size. The lowest 4 GiB are mapped where they are. Panics. */
void platform_describe(uint64_t information, uint32_t protocol);

/* What a CPU runs that starts in real mode, to be copied to a page below 1 MiB; the number that it then has. */
extern const char secondary_trampoline[], secondary_trampoline_end[];
extern uint32_t secondary_index;

/* True once that CPU has left the trampoline. */
bool secondary_has_arrived(uint32_t index);

#endif
