/* SPDX-License-Identifier: MIT */
/* The interrupt functions of platform.h over whichever GIC there is. */
#include "gic.h"

#include <errno.h>

#include "arch.h"
#include "cpus.h"
#include "device_tree.h"
#include "discover.h"
#include "generic_timer.h"
#include "panic.h"

#define V2_RANGES       2u
#define V3_RANGES       2u
#define RANGE_BYTES_MAX (64UL << 20)
#define INTERRUPT_ID    0x3ffu

static const char *const v2_names[] = {"arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a7-gic", "arm,cortex-a9-gic"};

struct gic_description gic;
static const struct gic_operations *operations;
static bool ready;

/* Registers of the node and of its children (message interrupts, translation) are no user's. */
static void note_ranges(int node, size_t used)
{
    struct memory_region range;

    for (unsigned i = 0; device_tree_range(node, i, &range); i++) {
        if (range.size > RANGE_BYTES_MAX)
            panic("device tree: interrupt controller: a range of %lu MiB", range.size >> 20);
        discover_kernel_device(&range);
        if (i >= GIC_RANGES_MAX || i >= used)
            continue;
        gic.ranges[gic.range_count++] = range;
        device_map_range(range.base, range.size);
    }
    for (int child = -1; (child = device_tree_next_child(node, child)) >= 0;) {
        for (unsigned i = 0; device_tree_range(child, i, &range); i++)
            discover_kernel_device(&range);
    }
}

static bool discover_v3(void)
{
    uint64_t regions = 1;
    int node = device_tree_next_compatible(-1, "arm,gic-v3");
    if (node < 0)
        return false;
    (void)device_tree_number(node, "#redistributor-regions", &regions);
    (void)device_tree_number(node, "redistributor-stride", &gic.stride);
    if (regions < 1 || regions > GIC_RANGES_MAX - 1 || gic.stride & 0xffff || gic.stride > RANGE_BYTES_MAX)
        panic("device tree: interrupt controller: bad redistributors");
    note_ranges(node, 1 + (size_t)regions);
    gic.redistributor_count = (size_t)regions;
    if (gic.range_count != 1 + (size_t)regions)
        panic("device tree: interrupt controller: too few ranges");
    operations = &gic_v3;
    return true;
}

static bool discover_v2(void)
{
    int node = -1;
    for (size_t i = 0; i < sizeof(v2_names) / sizeof(v2_names[0]) && node < 0; i++)
        node = device_tree_next_compatible(-1, v2_names[i]);
    if (node < 0)
        return false;
    note_ranges(node, V2_RANGES);
    if (gic.range_count != V2_RANGES)
        panic("device tree: interrupt controller: too few ranges");
    operations = &gic_v2;
    return true;
}

void gic_discover(void)
{
    if (!discover_v3() && !discover_v2())
        panic("device tree: no interrupt controller that is known");
}

void irq_init(void)
{
    operations->init();
    ready = true;
}

void irq_init_cpu(void)
{
    operations->init_cpu(discover_this_cpu(), 1u << GIC_IPI | 1u << generic_timer_irq());
}

uint32_t irq_take(void)
{
    uint32_t irq = operations->take();
    if (panic_active && irq_is_ipi(irq))
        cpu_halt();
    return irq;
}

void irq_end(uint32_t irq)
{
    operations->end(irq);
}

bool irq_valid(uint32_t irq)
{
    return irq >= GIC_FIRST_SHARED && irq < gic.lines;
}

void irq_mask(uint32_t irq)
{
    if (irq < gic.lines)
        operations->mask(irq);
}

void irq_unmask(uint32_t irq, uint32_t cpu)
{
    if (irq_valid(irq) && cpu < machine.cpu_count)
        operations->unmask(irq, cpu);
}

bool irq_is_ipi(uint32_t irq)
{
    /* Version 2 keeps the sender in the bits above. */
    return (irq & INTERRUPT_ID) == GIC_IPI;
}

void ipi_send(uint32_t cpu)
{
    if (ready)
        operations->send(cpu);
}

int irq_message(uint32_t irq, uint64_t *address, uint32_t *data)
{
    (void)irq, (void)address, (void)data;
    return -EOPNOTSUPP;
}
