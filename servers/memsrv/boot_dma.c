/* SPDX-License-Identifier: MIT */
/*
 * What memory the machine's devices reach. A bus node may have dma-ranges: triples of an address on the bus, the same
 * place on the parent's bus, and a size. Outside of them its devices reach nothing.
 */
#include <base/bits.h>
#include <libfdt.h>

#include "boot_memory.h"

/* Buses below buses below buses; and entries of one property. Trees that go further are not looked into. */
#define DEPTH_MAX   8u
#define CELLS_MAX   3 /* PCI has three for an address: flags, then the address itself */
#define ENTRIES_MAX 64

struct bus {
    const struct bus *parent; /* NULL: the root, whose addresses are the processors' */
    const fdt32_t *ranges;    /* NULL: as the parent */
    int entries;
    int child_cells, parent_cells, size_cells;
};

/* The last two cells: what a third one has in front of them is no address. */
static uint64_t number(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = count > 2 ? count - 2 : 0; i < count; i++)
        value = value << 32 | fdt32_to_cpu(cells[i]);
    return value;
}

static const fdt32_t *entry_of(const struct bus *bus, int index)
{
    return bus->ranges + index * (bus->child_cells + bus->parent_cells + bus->size_cells);
}

/* The processors' address of the last byte that the buses from `bus` upwards let through of `address`, on the bus. False:
 * it leads nowhere. */
static bool translate(const struct bus *bus, uint64_t address, uint64_t *result)
{
    for (; bus; bus = bus->parent) {
        bool found = !bus->ranges;
        for (int i = 0; i < bus->entries && !found; i++) {
            const fdt32_t *entry = entry_of(bus, i);
            uint64_t child = number(entry, bus->child_cells);
            uint64_t size = number(entry + bus->child_cells + bus->parent_cells, bus->size_cells);
            if (address < child || address - child >= size)
                continue;
            address = number(entry + bus->child_cells, bus->parent_cells) + (address - child);
            found = true;
        }
        if (!found)
            return false;
    }
    *result = address;
    return true;
}

/* The first address that devices of the bus do not reach; UINT64_MAX: no limit, or none that makes sense. */
static uint64_t limit_of(const struct bus *bus)
{
    uint64_t limit = 0;
    if (!bus->ranges)
        return UINT64_MAX;
    for (int i = 0; i < bus->entries; i++) {
        const fdt32_t *entry = entry_of(bus, i);
        uint64_t child = number(entry, bus->child_cells);
        uint64_t size = number(entry + bus->child_cells + bus->parent_cells, bus->size_cells);
        uint64_t last;
        if (range_valid(child, size) && translate(bus, child + size - 1, &last) && last >= limit)
            limit = last + 1;
    }
    return limit ? limit : UINT64_MAX;
}

static bool read_bus(const void *tree, int node, const struct bus *parent, int parent_cells, struct bus *bus)
{
    int bytes = 0;

    *bus = (struct bus){.parent = parent, .parent_cells = parent_cells};
    bus->child_cells = fdt_address_cells(tree, node);
    bus->size_cells = fdt_size_cells(tree, node);
    bus->ranges = fdt_getprop(tree, node, "dma-ranges", &bytes);
    if (!bus->ranges || bytes == 0) {
        bus->ranges = NULL;
        return true;
    }
    if (bus->child_cells < 1 || bus->child_cells > CELLS_MAX || bus->size_cells < 1 || bus->size_cells > CELLS_MAX ||
        parent_cells < 1 || parent_cells > CELLS_MAX)
        return false;
    bus->entries = bytes / (int)sizeof(*bus->ranges) / (bus->child_cells + parent_cells + bus->size_cells);
    return bus->entries <= ENTRIES_MAX;
}

/* The lowest limit of the buses below `node`. Recursive to a depth of DEPTH_MAX. */
static uint64_t lowest_limit(const void *tree, int node, const struct bus *parent, int parent_cells, unsigned depth)
{
    uint64_t lowest = UINT64_MAX;
    int child;

    fdt_for_each_subnode(child, tree, node)
    {
        struct bus bus;
        if (depth == DEPTH_MAX || !read_bus(tree, child, parent, parent_cells, &bus))
            continue;
        uint64_t limit = limit_of(&bus);
        uint64_t below = lowest_limit(tree, child, &bus, bus.child_cells, depth + 1);
        if (below < limit)
            limit = below;
        if (limit < lowest)
            lowest = limit;
    }
    return lowest;
}

uint64_t boot_tree_dma_limit(const void *tree)
{
    return lowest_limit(tree, 0, NULL, fdt_address_cells(tree, 0), 0);
}
