/* SPDX-License-Identifier: MIT */
/* Maps the device tree while it is read. */
#include "tree.h"

#include <libfdt.h>
#include <stddef.h>

#include "memory.h"

static uint64_t first_page(const struct boot_info *info)
{
    return info->tree_base & PAGE_MASK;
}

/* 0: too small to be a tree. */
static uint64_t page_count(const struct boot_info *info)
{
    if (info->tree_size < FDT_V17_SIZE)
        return 0;
    return (info->tree_base + info->tree_size - first_page(info) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

const void *tree_open(const struct boot_info *info)
{
    const uint64_t pages = page_count(info);

    if (pages == 0)
        return NULL;
    own_map(TREE_ADDRESS, first_page(info), pages, ENTRY_READ | ENTRY_ACCESSED);
    const void *tree = (const char *)TREE_ADDRESS + (info->tree_base - first_page(info));
    return fdt_check_header(tree) == 0 && fdt_totalsize(tree) <= info->tree_size ? tree : NULL;
}

void tree_close(const struct boot_info *info)
{
    own_unmap(TREE_ADDRESS, page_count(info));
}
