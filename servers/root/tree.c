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

/* A number of one or two cells. */
static uint64_t number_of(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 32 | fdt32_to_cpu(cells[i]);
    return value;
}

static bool are_cells(int count)
{
    return count == 1 || count == 2;
}

/* From an address on a bus to its place on the bus above. False: nothing there leads to it. */
static bool translate(const void *tree, int bus, int parent, uint64_t *address)
{
    const int child = fdt_address_cells(tree, bus), above = fdt_address_cells(tree, parent);
    const int size = fdt_size_cells(tree, bus), step = child + above + size;
    int bytes = 0;
    const fdt32_t *ranges = fdt_getprop(tree, bus, "ranges", &bytes);

    if (!ranges || !are_cells(child) || !are_cells(above) || !are_cells(size))
        return false;
    if (bytes == 0)
        return true;
    for (int count = bytes / (int)sizeof(*ranges); count >= step; count -= step, ranges += step) {
        const uint64_t from = number_of(ranges, child);
        if (*address >= from && *address - from < number_of(ranges + child + above, size)) {
            *address = *address - from + number_of(ranges + child, above);
            return true;
        }
    }
    return false;
}

bool tree_registers(const void *tree, int node, uint64_t *address)
{
    int bytes = 0;
    const fdt32_t *reg = fdt_getprop(tree, node, "reg", &bytes);
    int bus = fdt_parent_offset(tree, node);
    const int cells = bus < 0 ? 0 : fdt_address_cells(tree, bus);

    if (!reg || !are_cells(cells) || bytes < cells * (int)sizeof(*reg))
        return false;
    *address = number_of(reg, cells);
    for (int parent; (parent = fdt_parent_offset(tree, bus)) >= 0; bus = parent) {
        if (!translate(tree, bus, parent, address))
            return false;
    }
    return bus == 0;
}
