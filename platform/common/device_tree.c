/* SPDX-License-Identifier: MIT */
/* Reading the device tree with libfdt, which does not run outside a tree whose form was checked. */
#include "device_tree.h"

#include <libfdt.h>
#include <string.h>

#include "arch.h"
#include "panic.h"

#define DEPTH_MAX      16
#define PATH_MAX_BYTES 256u
#define CELLS_MAX      2

#define GIC_CELLS         3u
#define GIC_SHARED        0u
#define GIC_PRIVATE       1u
#define GIC_FIRST_SHARED  32u
#define GIC_FIRST_PRIVATE 16u
#define GIC_SHARED_MAX    988u

static const void *blob;

/* The name of a node for a message; the node's own name is within the tree by now. */
static const char *name_of(int node)
{
    const char *name = fdt_get_name(blob, node, NULL);
    return !name ? "?" : *name ? name : "/";
}

_Noreturn static void malformed(int node, const char *property)
{
    panic("device tree: node %s: bad %s", name_of(node), property);
}

/* One step over a tag at `offset`. False: it is bad. */
static bool check_tag(uint32_t tag, int offset, int *depth)
{
    const char *name;
    int length;

    switch (tag) {
    case FDT_BEGIN_NODE:
        return ++*depth <= DEPTH_MAX && fdt_get_name(blob, offset, &length) && length >= 0;
    case FDT_END_NODE:
        return --*depth >= 0;
    case FDT_PROP:
        return *depth > 0 && fdt_getprop_by_offset(blob, offset, &name, &length) && length >= 0;
    default:
        return tag == FDT_NOP;
    }
}

void device_tree_open(uint64_t tree, uint64_t bytes)
{
    int offset, next = 0, depth = 0;
    uint32_t tag;

    blob = direct_map(tree);
    int error = fdt_check_header(blob);
    if (error || fdt_totalsize(blob) > bytes || fdt_version(blob) < 17)
        panic("device tree: %s", error ? fdt_strerror(error) : "bad size or version");
    if (fdt_num_mem_rsv(blob) < 0)
        panic("device tree: the memory reservations do not end");
    do {
        offset = next;
        tag = fdt_next_tag(blob, offset, &next);
        if (next < 0 || (tag == FDT_END ? depth != 0 : !check_tag(tag, offset, &depth)))
            panic("device tree: bad structure at %d", offset);
    } while (tag != FDT_END);
    if (fdt_path_offset(blob, "/") < 0)
        panic("device tree: no root");
}

bool device_tree_enabled(int node)
{
    const char *status = device_tree_string(node, "status");
    return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

int device_tree_next_compatible(int node, const char *compatible)
{
    do
        node = fdt_node_offset_by_compatible(blob, node, compatible);
    while (node >= 0 && !device_tree_enabled(node));
    return node;
}

int device_tree_find_path(const char *path)
{
    const char *options = strchr(path, ':');
    size_t length = options ? (size_t)(options - path) : strlen(path);
    return length < PATH_MAX_BYTES ? fdt_path_offset_namelen(blob, path, (int)length) : -1;
}

int device_tree_next_child(int node, int child)
{
    return child < 0 ? fdt_first_subnode(blob, node) : fdt_next_subnode(blob, child);
}

int device_tree_next_memory(int node)
{
    return fdt_node_offset_by_prop_value(blob, node, "device_type", "memory", sizeof("memory"));
}

const char *device_tree_string(int node, const char *name)
{
    int length;
    const char *text = fdt_getprop(blob, node, name, &length);
    if (!text)
        return NULL;
    if (length < 1 || text[length - 1])
        malformed(node, name);
    return text;
}

bool device_tree_has_string(int node, const char *name, const char *wanted)
{
    return fdt_stringlist_search(blob, node, name, wanted) >= 0;
}

/* A property as cells; the count is 0 if there is none. */
static const fdt32_t *cells_of(int node, const char *name, unsigned *count)
{
    int length;
    const fdt32_t *cells = fdt_getprop(blob, node, name, &length);
    *count = 0;
    if (!cells)
        return NULL;
    if (length % (int)sizeof(fdt32_t))
        malformed(node, name);
    *count = (unsigned)length / sizeof(fdt32_t);
    return cells;
}

static uint64_t read_cells(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 32 | fdt32_to_cpu(cells[i]);
    return value;
}

bool device_tree_number(int node, const char *name, uint64_t *number)
{
    unsigned count;
    const fdt32_t *cells = cells_of(node, name, &count);
    if (!cells)
        return false;
    if (count < 1 || count > CELLS_MAX)
        malformed(node, name);
    *number = read_cells(cells, (int)count);
    return true;
}

bool device_tree_cell(int node, const char *name, unsigned index, uint32_t *cell)
{
    unsigned count;
    const fdt32_t *cells = cells_of(node, name, &count);
    if (index >= count)
        return false;
    *cell = fdt32_to_cpu(cells[index]);
    return true;
}

/* Cells of addresses and sizes in the children of `node`. */
static void child_cells(int node, int *address_cells, int *size_cells)
{
    *address_cells = fdt_address_cells(blob, node);
    *size_cells = fdt_size_cells(blob, node);
    if (*address_cells < 1 || *address_cells > CELLS_MAX || *size_cells < 0 || *size_cells > CELLS_MAX)
        malformed(node, "#address-cells or #size-cells");
}

/* Translates a range on the bus that `bus` is to the bus that this one is on. */
static void translate(int bus, int parent, struct memory_region *range)
{
    int address_cells, size_cells, parent_cells, unused;
    unsigned count;
    const fdt32_t *cells = cells_of(bus, "ranges", &count);

    if (!cells && fdt_getprop(blob, bus, "ranges", NULL) == NULL)
        malformed(bus, "ranges: its devices cannot be reached");
    if (!count)
        return;
    child_cells(bus, &address_cells, &size_cells);
    child_cells(parent, &parent_cells, &unused);
    unsigned step = (unsigned)(address_cells + parent_cells + size_cells);
    for (; count >= step; count -= step, cells += step) {
        uint64_t from = read_cells(cells, address_cells);
        uint64_t to = read_cells(cells + address_cells, parent_cells);
        uint64_t size = read_cells(cells + address_cells + parent_cells, size_cells);
        if (range->base < from || range->base - from >= size || range->size > size - (range->base - from))
            continue;
        range->base = range->base - from + to;
        if (range->base < to)
            malformed(bus, "ranges");
        return;
    }
    malformed(bus, "ranges: a device is outside");
}

bool device_tree_range(int node, unsigned index, struct memory_region *range)
{
    int address_cells, size_cells;
    unsigned count;
    int bus = fdt_parent_offset(blob, node);
    const fdt32_t *cells = cells_of(node, "reg", &count);

    if (bus < 0)
        return false;
    child_cells(bus, &address_cells, &size_cells);
    unsigned step = (unsigned)(address_cells + size_cells);
    if (count % step)
        malformed(node, "reg");
    if (index >= count / step)
        return false;
    cells += index * step;
    range->base = read_cells(cells, address_cells);
    range->size = read_cells(cells + address_cells, size_cells);
    for (int parent; (parent = fdt_parent_offset(blob, bus)) >= 0; bus = parent)
        translate(bus, parent, range);
    if (!range->size || range->base + range->size < range->base)
        malformed(node, "reg");
    return true;
}

bool device_tree_cpu_address(int node, uint64_t *address)
{
    int address_cells, size_cells;
    unsigned count;
    const fdt32_t *cells = cells_of(node, "reg", &count);

    child_cells(fdt_parent_offset(blob, node), &address_cells, &size_cells);
    if (size_cells != 0 || count < (unsigned)address_cells)
        return false;
    *address = read_cells(cells, address_cells);
    return true;
}

bool device_tree_gic_interrupt(int node, unsigned index, uint32_t *irq)
{
    uint32_t kind, number, flags;

    if (!device_tree_cell(node, "interrupts", index * GIC_CELLS, &kind))
        return false;
    if (!device_tree_cell(node, "interrupts", index * GIC_CELLS + 1, &number) ||
        !device_tree_cell(node, "interrupts", index * GIC_CELLS + 2, &flags))
        malformed(node, "interrupts");
    if (kind == GIC_SHARED && number < GIC_SHARED_MAX)
        *irq = number + GIC_FIRST_SHARED;
    else if (kind == GIC_PRIVATE && number < GIC_FIRST_SHARED - GIC_FIRST_PRIVATE)
        *irq = number + GIC_FIRST_PRIVATE;
    else
        malformed(node, "interrupts");
    return true;
}

bool device_tree_reservation(unsigned index, struct memory_region *range)
{
    if (index >= (unsigned)fdt_num_mem_rsv(blob) || fdt_get_mem_rsv(blob, (int)index, &range->base, &range->size))
        return false;
    return true;
}
