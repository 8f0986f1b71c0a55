/* SPDX-License-Identifier: MIT */
/*
 * The rest of the kernel's address space, and what there is before it: the device tree. Runs on the boot CPU alone, before
 * kernel_main().
 */
#include "arch.h"
#include "panic.h"
#include "platform.h"
#include "start.h"

#define TREE_HEADER_BYTES 40u
#define TREE_BYTES_MAX    (2u << 20) /* a limit of the boot protocol */
#define TREE_MAGIC        0xd00dfeedu

_Static_assert(PTE_DEVICE == MAIR_INDEX_DEVICE << 2, "the index is at bit 2 of an entry");
_Static_assert(CPUS_MAX == 8, "boot.S looks through as many");

uint64_t kernel_image_offset;

static uint32_t big_endian(uint32_t value)
{
    return __builtin_bswap32(value);
}

/* Makes the whole tree readable, having looked at its header alone. There is no log yet to complain to. */
static void map_tree(uint64_t tree)
{
    if (tree % 8 || tree >= DIRECT_SIZE - TREE_BYTES_MAX)
        panic("no device tree: address %lx", tree);
    if (tree >= machine.image_base && tree < machine.image_base + machine.image_size)
        panic("the device tree is inside the kernel image");
    map_direct(tree & PAGE_MASK, (tree + TREE_HEADER_BYTES + PAGE_SIZE - 1) & PAGE_MASK);

    const uint32_t *header = direct_map(tree);
    uint32_t bytes = big_endian(header[1]);
    if (big_endian(header[0]) != TREE_MAGIC || bytes < TREE_HEADER_BYTES || bytes > TREE_BYTES_MAX)
        panic("no device tree at %lx", tree);
    if (tree < machine.image_base && tree + bytes > machine.image_base)
        panic("the device tree reaches into the kernel image");
    map_direct(tree & PAGE_MASK, (tree + bytes + PAGE_SIZE - 1) & PAGE_MASK);
    machine.tree_base = tree;
    machine.tree_size = bytes;
}

_Noreturn void boot_main(uint64_t tree); /* for boot.S alone */

/* From boot.S: the image is mapped, nothing else is. */
_Noreturn void boot_main(uint64_t tree)
{
    memory_map_begin();
    map_tree(tree);
    platform_discover(tree);
    map_memory();
    kernel_main();
}
