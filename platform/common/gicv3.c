/* SPDX-License-Identifier: MIT */
/*
 * GIC version 3, registers from Arm IHI 0069: system registers as CPU interface, a redistributor for each CPU's own
 * lines. All interrupts are in group 1, and affinity routing sends each shared line to one CPU.
 */
#include "arch.h"
#include "cpus.h"
#include "gic.h"
#include "panic.h"

/* Distributor. */
#define GICD_CTLR               0x0000
#define GICD_CTLR_GROUP1        (1u << 1)
#define GICD_CTLR_AFFINITY      (1u << 4)
#define GICD_CTLR_WRITE_PENDING (1u << 31)
#define GICD_TYPER              0x0004
#define GICD_IROUTER            0x6000
#define GICD_BYTES              0x10000u

/* The same layout in the distributor and in a redistributor's second frame. */
#define IGROUPR    0x0080
#define ISENABLER  0x0100
#define ICENABLER  0x0180
#define ICPENDR    0x0280
#define ICACTIVER  0x0380
#define IPRIORITYR 0x0400
#define IGRPMODR   0x0d00

/* Redistributor, first frame. */
#define GICR_CTLR               0x0000
#define GICR_CTLR_WRITE_PENDING (1u << 3)
#define GICR_TYPER              0x0008
#define GICR_TYPER_VIRTUAL      (1u << 1)
#define GICR_TYPER_LAST         (1u << 4)
#define GICR_WAKER              0x0014
#define GICR_WAKER_SLEEP        (1u << 1)
#define GICR_WAKER_ASLEEP       (1u << 2)
#define GICR_PRIVATE            0x10000
#define GICR_BYTES              0x20000u
#define GICR_BYTES_VIRTUAL      0x40000u

/* The CPU interface's system registers, by encoding since not every assembler has their names. */
#define ICC_PMR_EL1        s3_0_c4_c6_0
#define ICC_SGI1R_EL1      s3_0_c12_c11_5
#define ICC_IAR1_EL1       s3_0_c12_c12_0
#define ICC_EOIR1_EL1      s3_0_c12_c12_1
#define ICC_BPR1_EL1       s3_0_c12_c12_3
#define ICC_CTLR_EL1       s3_0_c12_c12_4
#define ICC_SRE_EL1        s3_0_c12_c12_5
#define ICC_IGRPEN1_EL1    s3_0_c12_c12_7
#define READ(name)         REGISTER_READ(name)
#define WRITE(name, value) REGISTER_WRITE(name, value)

#define SPURIOUS_FROM 1020u
#define IAR_ID        0xffffffu
#define PRIORITIES    (GIC_PRIORITY * 0x01010101u)
#define SPINS_MAX     1000000u

static char *distributor;
static char *redistributors[CPUS_MAX];

/* Waits until the register's bits are clear: a write has taken effect. */
static bool wait_clear(const char *address, uint32_t bits)
{
    for (unsigned i = 0; i < SPINS_MAX; i++) {
        if (!(device_read32(address) & bits))
            return true;
    }
    return false;
}

static void init(void)
{
    if (gic.ranges[0].size < GICD_BYTES)
        panic("device tree: interrupt controller: distributor too small");
    distributor = device_map(gic.ranges[0].base);
    gic.lines = 32 * ((device_read32(distributor + GICD_TYPER) & 0x1f) + 1);
    if (gic.lines > GIC_LINES_MAX)
        gic.lines = GIC_LINES_MAX;

    device_write32(distributor + GICD_CTLR, 0);
    (void)wait_clear(distributor + GICD_CTLR, GICD_CTLR_WRITE_PENDING);
    for (uint32_t irq = GIC_FIRST_SHARED; irq < gic.lines; irq += 32) {
        device_write32(distributor + ICENABLER + irq / 8, UINT32_MAX);
        device_write32(distributor + ICPENDR + irq / 8, UINT32_MAX);
        device_write32(distributor + ICACTIVER + irq / 8, UINT32_MAX);
        device_write32(distributor + IGROUPR + irq / 8, UINT32_MAX);
        device_write32(distributor + IGRPMODR + irq / 8, 0);
    }
    for (uint32_t irq = GIC_FIRST_SHARED; irq < gic.lines; irq += 4)
        device_write32(distributor + IPRIORITYR + irq, PRIORITIES);
    (void)wait_clear(distributor + GICD_CTLR, GICD_CTLR_WRITE_PENDING);
    device_write32(distributor + GICD_CTLR, GICD_CTLR_AFFINITY | GICD_CTLR_GROUP1);
    (void)wait_clear(distributor + GICD_CTLR, GICD_CTLR_WRITE_PENDING);
}

/* The affinity as a redistributor's type register has it: four fields without the gap. */
static uint32_t packed_affinity(uint64_t affinity)
{
    return (uint32_t)(affinity >> 32 << 24 | (affinity & 0xffffff));
}

/* This CPU's redistributor, by its affinity. */
static char *find_redistributor(uint32_t cpu)
{
    for (size_t i = 1; i <= gic.redistributor_count; i++) {
        uint64_t offset = 0;
        while (offset + GICR_BYTES <= gic.ranges[i].size) {
            char *frame = device_map(gic.ranges[i].base + offset);
            uint64_t type = device_read64(frame + GICR_TYPER);
            if ((uint32_t)(type >> 32) == packed_affinity(cpu_affinities[cpu]))
                return frame;
            if (type & GICR_TYPER_LAST)
                break;
            offset += gic.stride ? gic.stride : type & GICR_TYPER_VIRTUAL ? GICR_BYTES_VIRTUAL : GICR_BYTES;
        }
    }
    panic("interrupt controller: no redistributor for CPU %u", cpu);
}

static void init_redistributor(char *frame, uint32_t enable)
{
    char *private_lines = frame + GICR_PRIVATE;

    device_write32(frame + GICR_WAKER, device_read32(frame + GICR_WAKER) & ~GICR_WAKER_SLEEP);
    if (!wait_clear(frame + GICR_WAKER, GICR_WAKER_ASLEEP))
        panic("interrupt controller: a redistributor does not wake up");
    device_write32(private_lines + ICENABLER, UINT32_MAX);
    device_write32(private_lines + ICACTIVER, UINT32_MAX);
    device_write32(private_lines + IGROUPR, UINT32_MAX);
    device_write32(private_lines + IGRPMODR, 0);
    for (uint32_t irq = 0; irq < GIC_FIRST_SHARED; irq += 4)
        device_write32(private_lines + IPRIORITYR + irq, PRIORITIES);
    device_write32(private_lines + ISENABLER, enable);
    (void)wait_clear(frame + GICR_CTLR, GICR_CTLR_WRITE_PENDING);
}

static void init_cpu(uint32_t cpu, uint32_t enable)
{
    WRITE(ICC_SRE_EL1, 7);
    instruction_barrier();
    if (!(READ(ICC_SRE_EL1) & 1))
        panic("interrupt controller: no system registers at EL1");
    redistributors[cpu] = find_redistributor(cpu);
    init_redistributor(redistributors[cpu], enable);
    WRITE(ICC_PMR_EL1, GIC_PRIORITY_MASK);
    WRITE(ICC_BPR1_EL1, 0);
    WRITE(ICC_CTLR_EL1, 0);
    WRITE(ICC_IGRPEN1_EL1, 1);
    instruction_barrier();
}

static uint32_t take(void)
{
    uint32_t taken = (uint32_t)READ(ICC_IAR1_EL1) & IAR_ID;
    /* The device's state must be read after the interrupt is ours. */
    system_barrier();
    return taken >= SPURIOUS_FROM ? IRQ_SPURIOUS : taken;
}

static void end(uint32_t irq)
{
    WRITE(ICC_EOIR1_EL1, irq);
    instruction_barrier();
}

static void mask(uint32_t irq)
{
    if (irq < GIC_FIRST_SHARED) {
        char *frame = redistributors[discover_this_cpu()];
        device_write32(frame + GICR_PRIVATE + ICENABLER, 1u << irq);
        (void)wait_clear(frame + GICR_CTLR, GICR_CTLR_WRITE_PENDING);
        return;
    }
    device_write32(distributor + ICENABLER + irq / 32 * 4, 1u << irq % 32);
    (void)wait_clear(distributor + GICD_CTLR, GICD_CTLR_WRITE_PENDING);
}

static void unmask(uint32_t irq, uint32_t cpu)
{
    device_write64(distributor + GICD_IROUTER + 8 * (uint64_t)irq, cpu_affinities[cpu]);
    device_write32(distributor + ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

static void send(uint32_t cpu)
{
    uint64_t affinity = cpu_affinities[cpu];
    uint64_t value = (affinity >> 32 & 0xff) << 48 | (affinity >> 4 & 0xf) << 44 | (affinity >> 16 & 0xff) << 32 |
                     (affinity >> 8 & 0xff) << 16 | (uint64_t)GIC_IPI << 24 | 1UL << (affinity & 0xf);
    /* What was written before must be seen by the CPU that takes it. */
    system_barrier();
    WRITE(ICC_SGI1R_EL1, value);
    instruction_barrier();
}

const struct gic_operations gic_v3 = {
    .init = init,
    .init_cpu = init_cpu,
    .take = take,
    .end = end,
    .mask = mask,
    .unmask = unmask,
    .send = send,
};
