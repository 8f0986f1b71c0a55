/* SPDX-License-Identifier: MIT */
/* Between the boot files; nothing here is used once root runs. */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <quire/abi.h>

/* Cuts up memory; sets up the frame table's and the window's storage. root_base, root_size: root's image, bytes. */
void boot_memory_init(uint64_t root_base, uint64_t root_size);

/* Physical address of `pages` consecutive zeroed pages that become root's. */
uint64_t boot_allocate_root(uint64_t pages);

/* Pages of memory that the machine has. */
uint64_t boot_memory_pages(void);

/* Gives every frame its type, fills the window, and writes the regions to *info. No allocation afterwards. */
void boot_memory_finish(struct boot_info *info);

/* root.c: makes root from its image; returns its first thread, ready to run. */
struct thread *boot_create_root(uint64_t image_base);

#endif
