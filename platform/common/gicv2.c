/* SPDX-License-Identifier: MIT */
/* GIC version 2, registers from Arm IHI 0048: a memory-mapped interface for each CPU, targets as a mask of interfaces. */
#include "arch.h"
#include "gic.h"
#include "panic.h"

/* Distributor. */
#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ICPENDR    0x280
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_SGIR       0xf00
#define GICD_BYTES      0x1000u

/* CPU interface. */
#define GICC_CTLR  0x000
#define GICC_PMR   0x004
#define GICC_BPR   0x008
#define GICC_IAR   0x00c
#define GICC_EOIR  0x010
#define GICC_BYTES 0x100u

#define IAR_ID            0x3ffu
#define IAR_ID_AND_SENDER 0x1fffu
#define SPURIOUS_FROM     1020u
#define PRIORITIES        (GIC_PRIORITY * 0x01010101u)

static char *distributor, *interface;
static uint8_t interface_masks[CPUS_MAX]; /* the distributor's name for each CPU; 0: not up yet */

static void init(void)
{
    if (gic.ranges[0].size < GICD_BYTES || gic.ranges[1].size < GICC_BYTES)
        panic("device tree: interrupt controller: ranges too small");
    distributor = device_map(gic.ranges[0].base);
    interface = device_map(gic.ranges[1].base);
    gic.lines = 32 * ((device_read32(distributor + GICD_TYPER) & 0x1f) + 1);
    if (gic.lines > GIC_LINES_MAX)
        gic.lines = GIC_LINES_MAX;

    device_write32(distributor + GICD_CTLR, 0);
    for (uint32_t irq = GIC_FIRST_SHARED; irq < gic.lines; irq += 32) {
        device_write32(distributor + GICD_ICENABLER + irq / 8, UINT32_MAX);
        device_write32(distributor + GICD_ICPENDR + irq / 8, UINT32_MAX);
        device_write32(distributor + GICD_ICACTIVER + irq / 8, UINT32_MAX);
    }
    for (uint32_t irq = GIC_FIRST_SHARED; irq < gic.lines; irq += 4)
        device_write32(distributor + GICD_IPRIORITYR + irq, PRIORITIES);
    device_write32(distributor + GICD_CTLR, 1);
}

static void init_cpu(uint32_t cpu, uint32_t enable)
{
    /* The first words of the distributor are each CPU's own; the targets of private lines read as the CPU itself. */
    uint32_t targets = device_read32(distributor + GICD_ITARGETSR);
    targets |= targets >> 16;
    interface_masks[cpu] = (uint8_t)(targets | targets >> 8);
    if (!interface_masks[cpu])
        interface_masks[cpu] = 1; /* one CPU: the register is not there */

    device_write32(distributor + GICD_ICENABLER, UINT32_MAX);
    device_write32(distributor + GICD_ICACTIVER, UINT32_MAX);
    for (uint32_t irq = 0; irq < GIC_FIRST_SHARED; irq += 4)
        device_write32(distributor + GICD_IPRIORITYR + irq, PRIORITIES);
    device_write32(interface + GICC_PMR, GIC_PRIORITY_MASK);
    device_write32(interface + GICC_BPR, 0);
    device_write32(interface + GICC_CTLR, 1);
    device_write32(distributor + GICD_ISENABLER, enable);
    system_barrier();
}

static uint32_t take(void)
{
    uint32_t taken = device_read32(interface + GICC_IAR) & IAR_ID_AND_SENDER;
    return (taken & IAR_ID) >= SPURIOUS_FROM ? IRQ_SPURIOUS : taken;
}

static void end(uint32_t irq)
{
    device_write32(interface + GICC_EOIR, irq);
}

static void mask(uint32_t irq)
{
    device_write32(distributor + GICD_ICENABLER + irq / 32 * 4, 1u << irq % 32);
    system_barrier();
}

static void unmask(uint32_t irq, uint32_t cpu)
{
    device_write8(distributor + GICD_ITARGETSR + irq, interface_masks[cpu]);
    device_write32(distributor + GICD_ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

static void send(uint32_t cpu)
{
    /* What was written before must be seen by the CPU that takes it. */
    system_barrier();
    device_write32(distributor + GICD_SGIR, (uint32_t)interface_masks[cpu] << 16 | GIC_IPI);
}

const struct gic_operations gic_v2 = {
    .init = init,
    .init_cpu = init_cpu,
    .take = take,
    .end = end,
    .mask = mask,
    .unmask = unmask,
    .send = send,
};
