/* SPDX-License-Identifier: MIT */
/* What the device tree says about memory. Its bytes are checked by libfdt and here; nothing in it is believed. */
#include <errno.h>
#include <string.h>

#include <base/bits.h>
#include <libfdt.h>

#include "boot_memory.h"

#define CELLS_MAX 2

struct cells {
    int address, size;
};

typedef int range_function(struct memblock *memblock, uint64_t base, uint64_t size);

static uint64_t read_cells(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 32 | fdt32_to_cpu(cells[i]);
    return value;
}

static int read_cell_counts(const void *tree, int node, struct cells *cells)
{
    cells->address = fdt_address_cells(tree, node);
    cells->size = fdt_size_cells(tree, node);
    bool usable = cells->address > 0 && cells->address <= CELLS_MAX && cells->size > 0 && cells->size <= CELLS_MAX;
    return usable ? 0 : -EINVAL;
}

/* Only whole pages count: memory is rounded inwards, what is reserved outwards. */
static int add_memory(struct memblock *memblock, uint64_t base, uint64_t size)
{
    uint64_t start = align_up(base, PAGE_SIZE);
    uint64_t end = align_down(base + size, PAGE_SIZE);
    if (!range_valid(base, size) || end > WINDOW_SIZE)
        return -EINVAL;
    return start < end ? memblock_add(memblock, start, end - start) : 0;
}

static int add_reserved(struct memblock *memblock, uint64_t base, uint64_t size)
{
    uint64_t start = align_down(base, PAGE_SIZE);
    if (size == 0)
        return 0;
    if (!range_valid(base, size) || base + size > UINT64_MAX - PAGE_SIZE)
        return -EINVAL;
    return memblock_reserve(memblock, start, align_up(base + size, PAGE_SIZE) - start);
}

/* Calls `add` for each range of a node's "reg"; a node without one is skipped. */
static int for_each_range(const void *tree, int node, const struct cells *cells, struct memblock *memblock,
                          range_function *add)
{
    int bytes = 0;
    int words = cells->address + cells->size;
    const fdt32_t *reg = fdt_getprop(tree, node, "reg", &bytes);

    if (!reg)
        return 0;
    for (int left = bytes / (int)sizeof(*reg); left >= words; left -= words, reg += words) {
        uint64_t base = read_cells(reg, cells->address);
        uint64_t size = read_cells(reg + cells->address, cells->size);
        int error = size ? add(memblock, base, size) : 0;
        if (error)
            return error;
    }
    return 0;
}

static bool node_is_memory(const void *tree, int node)
{
    int bytes = 0;
    const char *type = fdt_getprop(tree, node, "device_type", &bytes);
    return type && bytes == (int)sizeof("memory") && memcmp(type, "memory", sizeof("memory")) == 0;
}

static int read_memory_nodes(const void *tree, struct memblock *memblock)
{
    struct cells cells;
    int node;
    int error = read_cell_counts(tree, 0, &cells);

    fdt_for_each_subnode(node, tree, 0)
    {
        if (!error && node_is_memory(tree, node))
            error = for_each_range(tree, node, &cells, memblock, add_memory);
    }
    if (!error && memblock->memory.count == 0)
        error = -ENOENT;
    return error;
}

static int read_reserved_nodes(const void *tree, struct memblock *memblock)
{
    struct cells cells;
    int node;
    int parent = fdt_path_offset(tree, "/reserved-memory");

    if (parent < 0)
        return 0;
    int error = read_cell_counts(tree, parent, &cells);
    fdt_for_each_subnode(node, tree, parent)
    {
        if (!error)
            error = for_each_range(tree, node, &cells, memblock, add_reserved);
    }
    return error;
}

static int read_reservations(const void *tree, struct memblock *memblock)
{
    int count = fdt_num_mem_rsv(tree);
    int error = count < 0 ? -EINVAL : 0;

    for (int i = 0; i < count && !error; i++) {
        uint64_t base, size;
        error = fdt_get_mem_rsv(tree, i, &base, &size) == 0 ? add_reserved(memblock, base, size) : -EINVAL;
    }
    return error;
}

int boot_tree_read(const void *tree, uint64_t limit, struct memblock *memblock)
{
    if (limit < sizeof(struct fdt_header) || fdt_check_header(tree) != 0 || fdt_totalsize(tree) > limit)
        return -EINVAL;
    int error = read_memory_nodes(tree, memblock);
    if (!error)
        error = read_reservations(tree, memblock);
    if (!error)
        error = read_reserved_nodes(tree, memblock);
    return error;
}
